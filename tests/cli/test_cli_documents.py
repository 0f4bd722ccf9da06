r"""`--document-separator`: training, counting, scoring and comparing documents, each from the beginning."""

import json
from pathlib import Path

import pytest
from program import SMALL, Charrnn

LINES = "".join(f"{word} is a word\n" for word in ("to", "be", "or", "not", "whether", "question") * 12)
BY_LINE = ("--document-separator", r"\n")


@pytest.fixture
def lines(folder: Path) -> Path:
    path = folder / "lines.txt"
    path.write_text(LINES, encoding="utf-8")
    return path


def test_documents_that_are_cut_in_two_give_a_tip(charrnn: Charrnn, lines: Path) -> None:
    """The lines have up to 19 characters, and all have more than 12."""
    cut = charrnn("train", "lines.txt", *BY_LINE, *SMALL, "--seq-length", 12)
    assert "longer than 12 characters, and are cut in two; --seq-length 19 reads each of them whole" in " ".join(
        cut.err.split()
    )
    assert "cut in two" not in charrnn("train", "lines.txt", *BY_LINE, *SMALL, "--seq-length", 19, "--force").err


def test_documents_have_one_rule_in_every_command(charrnn: Charrnn, lines: Path) -> None:
    trained = charrnn("train", "lines.txt", *BY_LINE, *SMALL, "--json")
    assert "documents   72, 15 characters each on average" in trained.err
    assert "streams x up to 19 characters per step; the state is reset at each of 66 documents; " in trained.err
    counted = charrnn("ngram", "lines.txt", *BY_LINE, "--order", 3, "--json")
    scores = {}
    for made, name in ((trained, "lines-lstm"), (counted, "lines-tuned-3")):
        at_end = json.loads(made.out)
        scored = charrnn("score", name, "--json")
        found = json.loads(scored.out)
        assert at_end["rule"] == found["rule"] == "static, documents"
        assert found["bits_per_char"] == pytest.approx(at_end["bits_per_char"])
        assert "each document separately" in scored.err
        scores[found["model"]] = found["bits_per_char"]
    compared = charrnn("compare", "--novelty-length", 50, "--length", 9, "--baselines", "none", "--json")
    rows = json.loads(compared.out)
    assert {row["model"]: pytest.approx(row["bits_per_char"]) for row in rows} == scores
    assert {row["rule"] for row in rows} == {"static, documents"}
    shown = " ".join(charrnn("compare", "lines-lstm", "--novelty-length", 0, "--length", 9).err.split())
    assert "each document separately: models do not learn from the text they are scored on. p:" in shown
    assert "fitting n-gram baselines for this table: tuned order 9" in shown


def test_documents_in_any_order_have_one_score(charrnn: Charrnn, lines: Path) -> None:
    charrnn("ngram", "lines.txt", *BY_LINE, "--order", 4)
    backwards = lines.with_name("backwards.txt")
    backwards.write_text("".join(reversed(LINES.splitlines(keepends=True))), encoding="utf-8")
    (lines.parent / "again.txt").write_text(LINES + LINES, encoding="utf-8")
    found = [
        json.loads(charrnn("score", "lines-tuned-4", "--text", name, "--json").out)
        for name in ("backwards.txt", "again.txt")
    ]
    assert found[0]["bits_per_char"] == pytest.approx(found[1]["bits_per_char"])


def test_documents_training_resumes_and_is_mixed(charrnn: Charrnn, lines: Path) -> None:
    assert charrnn("train", "lines.txt", *BY_LINE, *SMALL).status == 0
    assert "resumed" in charrnn("train", "lines.txt", "--resume").err
    changed = charrnn("train", "lines.txt", "--resume", "--document-separator", "|")
    assert changed.failed_with(2, r"--document-separator '|': the run to resume uses --document-separator '\n'; remove")
    assert r"--val-fraction 0.1 --document-separator '\n'" in charrnn("inspect", "lines-lstm").err
    assert charrnn("sample", "--novelty", "--length", 30).status == 0
    mixed = charrnn("train", "lines.txt", *BY_LINE, *SMALL, "--with-ngram", "--json")
    assert json.loads(mixed.out)["rule"] == "static, documents"
    assert json.loads(charrnn("score", "lines-lstm-ngram", "--json").out)["bits_per_char"] == pytest.approx(
        json.loads(mixed.out)["bits_per_char"]
    )


def test_documents_of_several_files_are_separated(charrnn: Charrnn, folder: Path) -> None:
    """The separator is put between them; a model of bytes has bytes there."""
    for name in ("a", "b", "c"):
        (folder / f"{name}.poem").write_text(f"{name} is a\nletter\n" * 9, encoding="utf-8")
    result = charrnn("ngram", "*.poem", "--document-separator", r"\x00", "--order", 2)
    assert "a.poem and 2 more files: 380 characters" in result.err
    assert "documents   3, 127 characters each on average" in result.err
    assert charrnn("score").status == 0
    as_bytes = charrnn("train", "*.poem", "--bytes", "--document-separator", "é|", *SMALL)
    assert "384 bytes, vocabulary size 256" in as_bytes.err
    assert "documents   3, 128 bytes each on average" in as_bytes.err


def test_documents_wrong_usage_is_one_line(charrnn: Charrnn, lines: Path) -> None:
    for command in (("train", "lines.txt", *SMALL), ("ngram", "lines.txt")):
        missing = charrnn(*command, "--document-separator", "@@")
        assert missing.failed_with(
            1, "lines.txt: only one document: no '@@' before the end; try another --document-separator"
        )
        wrong = charrnn(*command, "--document-separator", r"\q")
        assert wrong.failed_with(2, r"\q: not an escape sequence; use \n for a line end")
        assert charrnn(*command, "--document-separator", "").failed_with(
            2, "--document-separator '': must not be empty"
        )
    wrong = charrnn("ngram", "lines.txt", *BY_LINE, "--online")
    assert wrong.failed_with(2, "--online: cannot be combined with --document-separator")
    charrnn("ngram", "lines.txt", *BY_LINE, "--order", 2)
    for words in (("--online",), ("--window", 5)):
        refused = charrnn("score", "lines-tuned-2", *words)
        assert refused.failed_with(2, f"{' '.join(map(str, words))}: needs running text, but lines-tuned-2 was")
