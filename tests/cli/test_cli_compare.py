"""`charrnn compare`: the same held-out characters for all, or a reason why not."""

import bz2
import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.cli.shared.novelty import show_curve
from charrnn.format import sparkline
from charrnn.scoring.novelty import Novelty

QUICK = ("--length", 5, "--novelty-length", 0)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _rows(charrnn: Charrnn, *words: object) -> list[dict[str, Any]]:
    result = charrnn("compare", *words, "--json", "--length", 10, "--novelty-length", 60, "--baselines", "none")
    assert result.status == 0, result.err
    rows: list[dict[str, Any]] = json.loads(result.text, parse_constant=_refuse)
    return rows


def test_all_models_of_the_newest_ones_text(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("another text " * 50, encoding="utf-8")
    assert charrnn("ngram", "other.txt").status == 0
    (models / "other-tuned-9.safetensors").rename(models / "old.safetensors")
    for name in ("text-lstm", "text-tuned-3"):
        (models / f"{name}.safetensors").touch()
    rows = _rows(charrnn)
    assert [row["checkpoint"] for row in rows] == [
        "checkpoints/text-tuned-3.safetensors",  # the better comes first
        "checkpoints/text-lstm.safetensors",
    ]
    assert rows[0]["bits_per_char"] < rows[1]["bits_per_char"]
    assert [(row["characters"], row["split"], row["part"]) for row in rows] == [(170, "90/10/0", "validation")] * 2
    assert [len(row["sample"]) for row in rows] == [10, 10]


def test_the_figures_are_those_of_the_fitting(charrnn: Charrnn, models: Path) -> None:
    fitted = json.loads(charrnn("ngram", "text.txt", "--order", 3, "--json").text)
    row = _rows(charrnn, "text-tuned-3")[0]
    for key in ("bits_per_char", "characters", "bytes", "entries", "kind", "rule"):
        assert row[key] == fitted[key]


def test_what_the_table_lacks_is_made_for_it(charrnn: Charrnn, models: Path) -> None:
    """Without a word: three n-grams of the default order, and the network mixed with the best of all n-grams."""
    rows = json.loads(charrnn("compare", *QUICK, "--json").text)
    assert sorted((row["model"], row["is_baseline"]) for row in rows) == [
        ("60% lstm 1x8, 40% mkn order 9", True),
        ("lstm 1x8", False),
        ("mkn order 9", True),
        ("ml order 9", True),
        ("tuned order 3", False),
        ("tuned order 9", True),
    ]
    assert all((row["checkpoint"] is None) == row["is_baseline"] for row in rows)
    assert len({(row["characters"], row["split"], row["rule"]) for row in rows}) == 1
    assert not (models / "text-tuned-9.safetensors").exists()
    by_model = {row["model"]: row for row in rows}
    for words in (("--smoothing", "mkn"), ()):
        counted = json.loads(charrnn("ngram", "text.txt", *words, "--json").text)
        assert by_model[counted["model"]]["bits_per_char"] == pytest.approx(counted["bits_per_char"])
    network, (mixed,) = by_model["lstm 1x8"], [row for row in rows if row["kind"] == "mixture"]
    assert (mixed["parameters"], mixed["entries"] > 0) == (network["parameters"], True)
    assert mixed["bits_per_char"] < network["bits_per_char"]
    again = json.loads(charrnn("compare", *QUICK, "--json").text)  # two of them are there now
    assert sorted(row["kind"] for row in again if row["is_baseline"]) == ["mixture", "ngram"]


def test_the_test_part_is_what_is_compared_on(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 2, "--test-fraction", 0.2).status == 0
    assert [(row["part"], row["characters"], row["split"]) for row in _rows(charrnn)] == [("test", 340, "70/10/20")]


def test_people_get_a_table_on_stderr(charrnn: Charrnn, models: Path) -> None:
    result = charrnn("compare", "--novelty-length", 200)
    assert result.status == 0
    assert result.out == b""
    for part in ("bits/", "lstm 1x8", "tuned order 3", "170 held-out characters", "split 90/10/0", "static"):
        assert part in result.err


def test_what_is_copied_stands_beside_the_same_of_held_out_text(charrnn: Charrnn, models: Path) -> None:
    """The held-out part of this text is a repetition: all of it is copied."""
    counted, network = _rows(charrnn, "--seed", 3)
    assert counted["held_out_novelty"] == network["held_out_novelty"]
    assert counted["held_out_novelty"]["longest_copy"] == counted["held_out_novelty"]["characters"] == 60
    assert (counted["novelty"]["characters"], len(counted["sample"])) == (60, 10)
    assert counted["novelty"]["novel_10"] < network["novelty"]["novel_10"] == 1
    lines = charrnn("compare", "--novelty-length", 200, "--baselines", "none").err.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("text "))
    assert [line.split("  ")[0] for line in lines[header + 2 : header + 4]] == ["lstm 1x8", "held-out text"]
    assert lines[header + 3].split()[2:] == ["0%", "0%", "0%", "170", "100%", "100%", "100%"]
    assert lines[header + 5].startswith("200 and 170 characters against the training part of text.txt (1,530 ")


def test_a_sample_does_not_depend_on_what_is_judged(charrnn: Charrnn, models: Path) -> None:
    short, judged = (charrnn("compare", "--json", "--length", 80, "--novelty-length", n).text for n in (0, 120))
    for row, other in zip(json.loads(short), json.loads(judged), strict=True):
        assert row["sample"] == other["sample"]
        assert (row["novelty"], row["held_out_novelty"]) == (None, None)
    assert "held-out text" not in charrnn("compare", "--novelty-length", 0).err


def test_where_there_is_no_training_text_to_judge_by(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    words = ("--text", "part.txt", "--novelty-length", 60)
    assert _rows(charrnn, *words)[0]["held_out_novelty"]["longest_copy"] == 60
    (folder / "text.txt").write_text(TEXT + "To be\n", encoding="utf-8")
    result = charrnn("compare", *words)
    assert result.status == 0
    assert "what they copy is not looked for: text.txt: is not the text that " in result.err
    (folder / "same-letters.txt").write_text(TEXT[::-1], encoding="utf-8")
    assert charrnn("ngram", "same-letters.txt", "--order", 2, "--out", "other").status == 0
    result = charrnn("compare", "text-lstm", "other", *words)
    assert result.status == 0
    assert "what they copy is not looked for: they were not fitted on the same text" in result.err


def test_an_infinite_score(charrnn: Charrnn, folder: Path) -> None:
    (folder / "odd.txt").write_text("a\n" * 450 + "aa\n\n" * 25, encoding="utf-8")
    assert charrnn("ngram", "odd.txt", "--smoothing", "ml", "--order", 3).status == 0
    assert charrnn("ngram", "odd.txt", "--order", 3).status == 0
    rows = _rows(charrnn)
    assert [row["bits_per_char"] is None for row in rows] == [False, True]  # infinite is worst
    shown = charrnn("compare", "--novelty-length", 60).err
    assert "∞" in shown
    assert "p = 0: " in shown
    assert "nan" not in shown


def test_a_text_without_line_ends(charrnn: Charrnn, folder: Path) -> None:
    (folder / "one-line.txt").write_text("to be or not to be " * 50, encoding="utf-8")
    assert charrnn("ngram", "one-line.txt").status == 0
    assert len(_rows(charrnn)) == 1


def test_another_text_is_held_out_as_a_whole(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    rows = _rows(charrnn, "--text", "part.txt")
    assert [(row["part"], row["characters"], row["split"]) for row in rows] == [("all", 200, "0/0/100")] * 2


def test_different_vocabularies_are_refused(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("another text " * 50, encoding="utf-8")
    assert charrnn("ngram", "other.txt").status == 0
    result = charrnn("compare", "text-lstm", "other-tuned-9")
    assert result.failed_with(1, "text-lstm and other-tuned-9 have different vocabularies (24 and 9 characters)")


def test_different_splits_are_refused(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("ngram", "text.txt", "--val-fraction", 0.3, "--out", "more").status == 0
    result = charrnn("compare", "text-lstm", "more")
    assert result.failed_with(1, "text-lstm and more read or split text.txt differently", "same options")


def test_a_text_that_is_gone_or_changed(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "text.txt").write_text(TEXT + "To be\n", encoding="utf-8")
    result = charrnn("compare", "text-lstm")
    assert result.failed_with(1, "text.txt: is not the text that text-lstm was fitted on; name that one with --text")
    (folder / "text.txt").rename(folder / "moved.txt")
    assert charrnn("compare", "text-lstm").failed_with(1, "text.txt: there is no such file")
    (folder / "moved.txt").write_text(TEXT, encoding="utf-8")
    assert _rows(charrnn, "text-lstm", "--text", "moved.txt")[0]["part"] == "validation"
    (folder / "moved.txt").write_text("zigzag", encoding="utf-8")
    result = charrnn("compare", "text-lstm", "--text", "moved.txt")
    assert result.failed_with(1, "moved.txt: 2 of its characters are unknown to the model, such as 'g'", "another text")


def test_nothing_was_held_out(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--val-fraction", 0).status == 0
    result = charrnn("compare", "text-lstm")
    assert result.status == 1
    assert "nothing is held out; try another --text" in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ["--length", "-1"],
        ["--temp", "nan"],
        ["--temp", "-1"],
        ["--seed", "-1"],
        ["--novelty-length", "-1"],
        ["--baselines", "some"],
    ],
)
def test_wrong_usage(charrnn: Charrnn, models: Path, words: list[str]) -> None:
    assert charrnn("compare", *words).failed_with(2, words[0])


def test_no_checkpoint(charrnn: Charrnn) -> None:
    assert charrnn("compare").failed_with(1, "there is no checkpoint in checkpoints/; make one with `charrnn train")
    assert charrnn("compare", "none").failed_with(1, "none: there is no such file")


def test_a_mixture_stands_beside_its_parts(charrnn: Charrnn, folder: Path) -> None:
    """Its counts are the n-gram baseline, so none is fitted; a model of the same counts is not shown twice."""
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    result = charrnn("compare", "--json", *QUICK, "--baselines", "none")
    rows = {row["kind"]: row for row in json.loads(result.text)}
    assert set(rows) == {"mixture", "recurrent", "ngram"}
    assert rows["mixture"]["parameters"] > rows["recurrent"]["parameters"] > 0
    assert rows["mixture"]["entries"] == rows["ngram"]["entries"] > 0
    assert charrnn("ngram", "text.txt").status == 0
    again = json.loads(charrnn("compare", "--json", *QUICK, "--baselines", "none").text)
    assert sorted(row["kind"] for row in again) == ["mixture", "ngram", "recurrent"]


def test_a_table_with_baselines_says_what_they_are(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """Zeros are counted: of this held-out part, which ends with a character that never followed."""
    (folder / "odd.txt").write_text("to be or not\n" * 99 + "zz", encoding="utf-8")
    assert charrnn("train", "odd.txt", *SMALL).status == 0
    shown = charrnn("compare", "odd-lstm", "--novelty-length", 40, "--length", 5).err
    for part in (
        "fitting tuned order 9, mkn order 9, ml order 9 for the table", "* tuned order 9", "(p = 0: ", "∞",
        "ml: Goldberg's counts", "weights of a mean were not fitted", "novel runs of ", "4 to 50",
    ):  # fmt: skip
        assert part in " ".join(shown.split()), part
    assert "█" in shown


def test_of_a_long_text_only_the_best_counts(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.pipeline.compare.MAX_COUNTED", 1000)
    result = charrnn("compare", "text-lstm", *QUICK, "--json")
    assert sorted(row["kind"] for row in json.loads(result.text)) == ["mixture", "ngram", "recurrent"]
    assert "mkn, ml: not counted, for the training part has 1,530 characters; --baselines all counts" in result.err
    assert len(json.loads(charrnn("compare", "text-lstm", *QUICK, "--json", "--baselines", "all").text)) == 5


def test_without_the_training_text_nothing_is_fitted(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """With it, also for a table of another text."""
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    words = ("compare", "text-lstm", "--text", "part.txt", *QUICK)
    assert len(json.loads(charrnn(*words, "--json").text)) == 5
    (folder / "text.txt").unlink()
    result = charrnn(*words, "--json")
    assert [row["kind"] for row in json.loads(result.text)] == ["recurrent"]
    assert "no n-grams are fitted, and what they copy is not looked for: text.txt: there is no such" in result.err
    assert charrnn(*words, "--online").err.endswith(
        "--online: needs the text that all of them were fitted on; leave it out\n"
    )
    assert charrnn(*words, "--structure").status == 2


def test_what_learns_while_it_reads_has_a_table_of_its_own(charrnn: Charrnn, models: Path, folder: Path) -> None:
    words = ("compare", *QUICK, "--baselines", "none", "--online")
    result = json.loads(charrnn(*words, "--json", "--out", "table.csv").text)
    assert [row["rule"] for row in result["static"]] == ["static, full"] * 2
    rows = {row["model"]: row for row in result["online"]}
    assert set(rows) == {"lstm 1x8", "tuned order 3", "PPMd order 6", "bz2 -9", "xz -9"}
    assert {(row["rule"], row["characters"], row["split"]) for row in rows.values()} == {
        ("online, full", 170, "90/10/0")
    }
    counted = json.loads(charrnn("ngram", "text.txt", "--order", 3, "--online", "--json").text)
    assert rows["tuned order 3"]["bits_per_char"] == counted["online"]["bits_per_char"]
    scored = json.loads(charrnn("score", "text-lstm", "--online", "--json").text)
    assert rows["lstm 1x8"]["bits_per_char"] == pytest.approx(scored["online"]["bits_per_char"])
    train, both = (TEXT[:1530].encode(), TEXT.encode())
    expected = 8 * (len(bz2.compress(both)) - len(bz2.compress(train))) / 170
    assert rows["bz2 -9"]["bits_per_char"] == pytest.approx(expected)
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["rule"] for row in table] == ["static, full"] * 2 + ["online, full"] * 5
    assert float(table[0]["bits_per_char"]) == pytest.approx(result["static"][0]["bits_per_char"])


def test_the_online_table_says_what_it_is(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    shown = " ".join(charrnn("compare", "text-lstm", *QUICK, "--online", "--limit", 100).err.split())
    for part in (
        "not installed: pip install pyppmd", "sees blocks of 900 kB", "dynamic evaluation",
        "Online, the first 100 of 170 held-out characters (--limit 0: all)", "nothing here compares with the static",
        "60% lstm 1x8, 40% ",
    ):  # fmt: skip
        assert part in shown, part


def test_bytes_are_compressed_as_they_are(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--bytes", "--out", "raw").status == 0
    result = json.loads(charrnn("compare", "raw", *QUICK, "--baselines", "none", "--online", "--json").text)
    found = {row["model"]: row["bits_per_char"] for row in result["online"]}
    train, both = (TEXT[:1530].encode(), TEXT.encode())
    assert found["bz2 -9"] == pytest.approx(8 * (len(bz2.compress(both)) - len(bz2.compress(train))) / 170)


def test_where_the_network_differs(charrnn: Charrnn, folder: Path) -> None:
    code = "def f(a):\n    if a:\n        return [a, 'b']\n    return {\"c\": (a)}\n\n\n"
    (folder / "code.txt").write_text(code * 80, encoding="utf-8")
    assert charrnn("train", "code.txt", *SMALL).status == 0
    words = ("compare", "code-lstm", *QUICK, "--structure")
    found = json.loads(charrnn(*words, "--json").text)["structure"]
    assert (found["network"], found["counts"]) == ("lstm 1x8", "mkn order 9")
    assert (found["characters"], found["is_code"]) == (len(code) * 8, True)
    assert [row["length"] for row in found["contexts"]] == [8, 16, 32, 64, 128, 256, None]
    cases = {(row["kind"], row["low"]): row["bits"]["cases"] for row in found["kinds"]}
    assert {kind for kind, _ in cases} == {"()", "[]", "{}", "''", '""'}
    assert cases["()", 1] == 2 * 8
    assert [row["change"] for row in found["indentation"]] == ["all", "deeper", "shallower"]
    shown = charrnn(*words).err
    for part in ("Where lstm 1x8 differs from mkn order 9", "context", "brackets", "1-3", "±", "deeper", "indentation"):
        assert part in shown, part


def test_a_text_without_structure(charrnn: Charrnn, models: Path) -> None:
    shown = charrnn("compare", *QUICK, "--structure", "--limit", 120).err
    assert "No bracket is closed in this text." in shown
    assert "It has too few indented lines to look into." in shown
    assert "The first 120 of 170 held-out characters (--limit 0: all)." in " ".join(shown.split())
    result = charrnn("compare", "text-tuned-3", "--structure", *QUICK)
    assert result.status == 2
    assert result.err.endswith("--structure: compares a network with n-grams, and a network is missing; leave it out\n")


def test_documents_are_compared_but_not_looked_into(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--document-separator", r"\n", "--out", "lines").status == 0
    rows = json.loads(charrnn("compare", "lines", *QUICK, "--json").text)
    assert {row["rule"] for row in rows} == {"static, documents"}
    assert sorted(row["kind"] for row in rows) == ["mixture", "ngram", "ngram", "ngram", "recurrent"]
    for option in ("--online", "--structure"):
        assert charrnn("compare", "lines", option).failed_with(2, f"{option}: goes on through a text, and lines reads")


def test_a_file_that_cannot_be(charrnn: Charrnn, models: Path) -> None:
    for name in ("none/table.csv", "checkpoints"):
        assert charrnn("compare", "--out", name).failed_with(2, f"--out {name}: ", "such as table.csv")


def test_bars_and_shares_never_look_like_all_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    curve = (None, 0.0, 0.001, 0.5, 0.996, *(1.0,) * 8)
    assert sparkline(curve) == " ▁▁▅█████████"
    found = Novelty(9, None, None, None, 0, 0, 0, None, None, None, curve)
    assert list(found.as_json()["curve"].items())[:4] == [("4", None), ("5", 0.0), ("6", 0.001), ("7", 0.5)]
    show_curve([("text", found)])
    assert capsys.readouterr().err.splitlines()[1].split()[:4] == ["text", "-", "<1%", ">99%"]
