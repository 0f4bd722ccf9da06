"""`charrnn compare`: the same held-out characters for all, or a reason why not."""

import json
from pathlib import Path
from typing import Any

import pytest
from program import SMALL, TEXT, Charrnn


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _rows(charrnn: Charrnn, *words: object) -> list[dict[str, Any]]:
    result = charrnn("compare", *words, "--json", "--length", 10, "--novelty-length", 60)
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


def test_a_baseline_is_fitted_where_there_is_none(charrnn: Charrnn, models: Path) -> None:
    assert [row["kind"] for row in _rows(charrnn, "text-lstm")] == ["ngram", "recurrent"]
    assert not (models / "text-tuned-9.safetensors").exists()


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
    lines = charrnn("compare", "--novelty-length", 200).err.splitlines()
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
    assert "odd-ml-3: infinite, " in shown
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
    assert "nothing is held out; say another --text" in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    "words", [["--length", "-1"], ["--temp", "nan"], ["--temp", "-1"], ["--seed", "-1"], ["--novelty-length", "-1"]]
)
def test_wrong_usage(charrnn: Charrnn, models: Path, words: list[str]) -> None:
    assert charrnn("compare", *words).failed_with(2, words[0])


def test_no_checkpoint(charrnn: Charrnn) -> None:
    assert charrnn("compare").failed_with(1, "there is no checkpoint in checkpoints/; make one with `charrnn train")
    assert charrnn("compare", "none").failed_with(1, "none: there is no such file")


def test_a_mixture_stands_beside_its_parts(charrnn: Charrnn, folder: Path) -> None:
    """Its counts are the n-gram baseline, so none is fitted; a model of the same counts is not shown twice."""
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    result = charrnn("compare", "--json", "--length", 50, "--novelty-length", 0)
    rows = {row["kind"]: row for row in json.loads(result.text)}
    assert set(rows) == {"mixture", "recurrent", "ngram"}
    assert rows["mixture"]["parameters"] > rows["recurrent"]["parameters"] > 0
    assert rows["mixture"]["entries"] == rows["ngram"]["entries"] > 0
    assert charrnn("ngram", "text.txt").status == 0
    again = json.loads(charrnn("compare", "--json", "--length", 50, "--novelty-length", 0).text)
    assert sorted(row["kind"] for row in again) == ["mixture", "ngram", "recurrent"]
