"""`charrnn compare`: the same held-out characters for all, or a reason why not."""

from pathlib import Path

import pytest
from program import QUICK, SMALL, TEXT, Charrnn, compare_rows


def test_compare_without_names_takes_all_models_of_one_text(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("another text " * 50, encoding="utf-8")
    assert charrnn("ngram", "other.txt").status == 0
    (models / "other-tuned-9.safetensors").rename(models / "old.safetensors")
    for name in ("text-lstm", "text-tuned-3"):
        (models / f"{name}.safetensors").touch()
    rows = compare_rows(charrnn)
    assert [row["checkpoint"] for row in rows] == [
        "checkpoints/text-tuned-3.safetensors",  # the better comes first
        "checkpoints/text-lstm.safetensors",
    ]
    assert rows[0]["bits_per_char"] < rows[1]["bits_per_char"]
    assert [(row["characters"], row["split"], row["part"]) for row in rows] == [(170, "90/10/0", "validation")] * 2
    assert [len(row["sample"]) for row in rows] == [10, 10]


def test_compare_scores_equal_those_of_ngram(charrnn: Charrnn, models: Path) -> None:
    fitted = charrnn("ngram", "text.txt", "--order", 3, "--json").json()
    row = compare_rows(charrnn, "text-tuned-3")[0]
    for key in ("bits_per_char", "characters", "bytes", "entries", "kind", "rule"):
        assert row[key] == fitted[key]


def test_compare_with_a_test_part_scores_the_test_part(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 2, "--test-fraction", 0.2).status == 0
    assert [(row["part"], row["characters"], row["split"]) for row in compare_rows(charrnn)] == [
        ("test", 340, "70/10/20")
    ]


def test_compare_without_json_prints_a_table(charrnn: Charrnn, models: Path) -> None:
    result = charrnn("compare", "--novelty-length", 200)
    assert result.status == 0
    assert result.out == b""
    for part in ("bits/", "lstm 1x8", "tuned order 3", "170 held-out characters", "90/10/0", "Static scores on"):
        assert part in result.err


def test_compare_infinite_score_is_last_and_null(charrnn: Charrnn, folder: Path) -> None:
    (folder / "odd.txt").write_text("a\n" * 450 + "aa\n\n" * 25, encoding="utf-8")
    assert charrnn("ngram", "odd.txt", "--smoothing", "ml", "--order", 3).status == 0
    assert charrnn("ngram", "odd.txt", "--order", 3).status == 0
    rows = compare_rows(charrnn)
    assert [row["bits_per_char"] is None for row in rows] == [False, True]  # infinite is worst
    shown = charrnn("compare", "--novelty-length", 60).err
    assert "∞" in shown
    assert "Impossible: " in shown
    assert "nan" not in shown


def test_compare_text_without_line_ends_works(charrnn: Charrnn, folder: Path) -> None:
    (folder / "one-line.txt").write_text("to be or not to be " * 50, encoding="utf-8")
    assert charrnn("ngram", "one-line.txt").status == 0
    assert len(compare_rows(charrnn)) == 1


def test_compare_on_another_text_scores_all_of_it(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    rows = compare_rows(charrnn, "--text", "part.txt")
    assert [(row["part"], row["characters"], row["split"]) for row in rows] == [("all", 200, "0/0/100")] * 2


def test_compare_different_vocabularies_are_refused(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("another text " * 50, encoding="utf-8")
    assert charrnn("ngram", "other.txt").status == 0
    result = charrnn("compare", "text-lstm", "other-tuned-9")
    assert result.failed_with(1, "text-lstm and other-tuned-9 have different vocabularies (24 and 9 characters)")


def test_compare_different_splits_are_refused(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("ngram", "text.txt", "--val-fraction", 0.3, "--out", "more").status == 0
    result = charrnn("compare", "text-lstm", "more")
    assert result.failed_with(1, "text-lstm and more read or split text.txt differently", "same options")


def test_compare_training_text_gone_or_changed_is_one_line(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "text.txt").write_text(TEXT + "To be\n", encoding="utf-8")
    result = charrnn("compare", "text-lstm")
    assert result.failed_with(1, "text.txt: not the training text of text-lstm; pass the original text with --text")
    (folder / "text.txt").rename(folder / "moved.txt")
    assert charrnn("compare", "text-lstm").failed_with(1, "text.txt: not found, here or in data/")
    (folder / "moved.txt").write_text(TEXT, encoding="utf-8")
    assert compare_rows(charrnn, "text-lstm", "--text", "moved.txt")[0]["part"] == "validation"
    (folder / "moved.txt").write_text("zigzag", encoding="utf-8")
    result = charrnn("compare", "text-lstm", "--text", "moved.txt")
    assert result.failed_with(
        1, "moved.txt: the model does not know 2 of the text's characters, such as 'g'", "another text"
    )


def test_compare_nothing_held_out_is_one_line(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--val-fraction", 0).status == 0
    result = charrnn("compare", "text-lstm")
    assert result.status == 1
    assert "try an unseen text with --text" in result.err.splitlines()[-1]


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
def test_compare_wrong_option_names_it(charrnn: Charrnn, models: Path, words: list[str]) -> None:
    assert charrnn("compare", *words).failed_with(2, words[0])


def test_compare_no_checkpoint_is_one_line(charrnn: Charrnn) -> None:
    assert charrnn("compare").failed_with(1, "checkpoints/: contains no checkpoint; create one with `charrnn train")
    assert charrnn("compare", "none").failed_with(1, "none: not found")


def test_compare_mixture_is_shown_with_its_parts(charrnn: Charrnn, folder: Path) -> None:
    """Its counts are the n-gram baseline, so none is fitted; a model of the same counts is not shown twice."""
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    result = charrnn("compare", "--json", *QUICK, "--baselines", "none")
    rows = {row["kind"]: row for row in result.json()}
    assert set(rows) == {"mixture", "recurrent", "ngram"}
    assert rows["mixture"]["parameters"] > rows["recurrent"]["parameters"] > 0
    assert rows["mixture"]["entries"] > rows["ngram"]["entries"] > 0  # the mixture has folded and shorter ones, too
    assert charrnn("ngram", "text.txt").status == 0
    again = charrnn("compare", "--json", *QUICK, "--baselines", "none").json()
    assert sorted(row["kind"] for row in again) == ["mixture", "ngram", "recurrent"]


def test_compare_documents_have_no_online_and_no_structure(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--document-separator", r"\n", "--out", "lines").status == 0
    rows = charrnn("compare", "lines", *QUICK, "--json").json()
    assert {row["rule"] for row in rows} == {"static, documents"}
    assert sorted(row["kind"] for row in rows) == ["mixture", "ngram", "ngram", "ngram", "recurrent"]
    for option in ("--online", "--structure"):
        assert charrnn("compare", "lines", option).failed_with(2, f"{option}: needs running text, but lines was")


def test_compare_out_that_is_no_file_is_refused(charrnn: Charrnn, models: Path) -> None:
    for name in ("none/table.csv", "checkpoints"):
        assert charrnn("compare", "--out", name).failed_with(2, f"--out {name}: ", "such as table.csv")
