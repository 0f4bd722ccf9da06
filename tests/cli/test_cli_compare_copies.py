"""`charrnn compare`: how much of the samples is copied from the training text."""

import json
from pathlib import Path

import pytest
from program import TEXT, Charrnn, compare_rows

from charrnn.cli.shared.novelty import show_curve
from charrnn.formatting import sparkline
from charrnn.scoring.novelty import Novelty


def test_copies_are_shown_beside_those_of_held_out_text(charrnn: Charrnn, models: Path) -> None:
    """The held-out part of this text is a repetition: all of it is copied."""
    counted, network = compare_rows(charrnn, "--seed", 3)
    assert counted["held_out_novelty"] == network["held_out_novelty"]
    assert counted["held_out_novelty"]["longest_copy"] == counted["held_out_novelty"]["characters"] == 60
    assert (counted["novelty"]["characters"], len(counted["sample"])) == (60, 10)
    assert counted["novelty"]["novel_10"] < network["novelty"]["novel_10"] == 1
    lines = charrnn("compare", "--novelty-length", 200, "--baselines", "none").err.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("text "))
    assert [line.split("  ")[0] for line in lines[header + 2 : header + 4]] == ["lstm 1x8", "held-out text"]
    assert lines[header + 3].split()[2:] == ["0%", "0%", "0%", "170", "100%", "100%", "100%"]
    assert lines[header + 5].startswith("200 and 170 characters, compared with the training part of text.txt (1,530 ")


def test_compare_sample_does_not_depend_on_novelty_length(charrnn: Charrnn, models: Path) -> None:
    short, judged = (charrnn("compare", "--json", "--length", 80, "--novelty-length", n).text for n in (0, 120))
    for row, other in zip(json.loads(short), json.loads(judged), strict=True):
        assert row["sample"] == other["sample"]
        assert (row["novelty"], row["held_out_novelty"]) == (None, None)
    assert "held-out text" not in charrnn("compare", "--novelty-length", 0).err


def test_copies_without_training_text_are_left_out(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    words = ("--text", "part.txt", "--novelty-length", 60)
    assert compare_rows(charrnn, *words)[0]["held_out_novelty"]["longest_copy"] == 60
    (folder / "text.txt").write_text(TEXT + "To be\n", encoding="utf-8")
    result = charrnn("compare", *words)
    assert result.status == 0
    assert "novelty are skipped: text.txt: not the training text of " in result.err
    (folder / "same-letters.txt").write_text(TEXT[::-1], encoding="utf-8")
    assert charrnn("ngram", "same-letters.txt", "--order", 2, "--out", "other").status == 0
    result = charrnn("compare", "text-lstm", "other", *words)
    assert result.status == 0
    assert "novelty are skipped: the models were not fitted on the same text" in result.err


def test_curve_shares_never_look_like_all_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    curve = (None, 0.0, 0.001, 0.5, 0.996, *(1.0,) * 8)
    assert sparkline(curve) == " ▁▁▅█████████"
    found = Novelty(9, None, None, None, 0, 0, 0, None, None, None, curve)
    assert list(found.as_json()["curve"].items())[:4] == [("4", None), ("5", 0.0), ("6", 0.001), ("7", 0.5)]
    show_curve([("text", found)])
    assert capsys.readouterr().err.splitlines()[1].split()[:4] == ["text", "-", "<1%", ">99%"]
