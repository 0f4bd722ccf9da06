"""Models that generate escape sequences, and file names with escape sequences: terminals ignore them, JSON is valid.

ESC [ 2 J clears a screen, ESC ] 0 ; ... BEL renames a window, a carriage return overwrites a line, U+202E reverses the
writing direction, U+009B is ESC [ in one character.
"""

import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from processes import shown_on_a_terminal
from program import SMALL, Charrnn

HOSTILE = "\x1b[2J\x1b]0;title\x07\b\x9b31m\u202e\u2066\u200d\x00\x7f\u2028\t\x0b\x85:cat: [red]"
TEXT = (HOSTILE + "\n") * 60
NAME = "b\x1b[2J\x07\u202e :cat:[red]\n\r\t'\".txt"
PARTS = (
    "\x1b[2J",
    "\x1b]",
    "\x07",
    "\b",
    "\x9b",
    "\u202e",
    "\u2066",
    "\u200d",
    "\x00",
    "\x7f",
    "\u2028",
    "\x0b",
    "\x85",
)
"""Sequences that must never reach a screen."""
COMMANDS = (
    ("train", NAME, *SMALL, "--out", "network"),
    ("ngram", NAME, "--order", 3),
    ("sample", "network", "--length", 60),
    ("sample", "--temp", 0.5, "--length", 200, "--prime", HOSTILE),
    ("sample", "--temp", 0.5, "--length", 60, "--novelty"),
    ("complete", "network", NAME, "--accuracy", "--length", 60),
    ("complete", "network", NAME, "--sep", ":cat:", "--with-source", "--temp", 1, "--length", 60),
    ("complete", "network", NAME, "--sep", HOSTILE + "\n"),
    ("complete", NAME),
    ("score", "network"),
    ("data", "inspect", NAME, "--no-advice"),
    ("inspect", "network"),
    ("compare", "--length", 60, "--novelty-length", 60, "--prime", HOSTILE),
    ("train", NAME, *SMALL, "--out", "network"),
    ("ngram", NAME + "z"),
    ("data", "inspect", NAME + "z"),
    ("score", "network", "--text", NAME + "z"),
    ("sample", NAME),
    ("sample", "--prime", "\x1b[31mz"),
    (NAME,),
    ("ngram", "--" + NAME),
    ("ngram", NAME, "--smoothing", NAME),
    ("ngram", NAME, "--encoding", NAME),
    ("ngram", NAME, "--order", NAME),
    ("train", NAME, "--save-every", NAME),
    ("train", NAME, "--device", NAME),
    ("train", NAME, "--out", NAME + "/"),
)


@pytest.fixture
def hostile(folder: Path) -> Path:
    """A folder with a text of hostile characters and a hostile name."""
    (folder / NAME).write_text(TEXT, encoding="utf-8", newline="")
    return folder


def test_hostile_text_stderr_has_no_control_characters(charrnn: Charrnn, hostile: Path) -> None:
    """Without progress bars and colors, stderr contains no control characters except tabs."""
    for words in COMMANDS:
        err = charrnn(*words).err
        assert [one for one in err if one not in "\n\t" and unicodedata.category(one)[0] == "C"] == [], words
        assert [one for one in PARTS if one in err] == [], words
        assert "\N{CAT}" not in err, words  # rich draws one for :cat: where it is not told otherwise


def test_hostile_name_mistake_is_one_line(charrnn: Charrnn, hostile: Path) -> None:
    assert charrnn("ngram", NAME + "z").failed_with(1, "not found, as a file or as a pattern")
    assert charrnn("sample", NAME).failed_with(2, ": not a checkpoint; ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_hostile_text_does_not_act_on_a_terminal(hostile: Path) -> None:
    """With progress bars and colors, which use control characters of their own."""
    shown = shown_on_a_terminal(hostile, COMMANDS[:10], TERM="xterm", COLUMNS="100").decode()
    assert [one for one in PARTS if one in shown] == []
    assert r"\x1b[2J" in shown
    assert "\x1b[31m" in shown  # red copies
    assert "\N{CAT}" not in shown


def test_hostile_text_into_a_pipe_is_unchanged(charrnn: Charrnn, hostile: Path) -> None:
    assert charrnn("ngram", NAME, "--order", 12, "--out", "it").status == 0
    out = charrnn("sample", "it", "--temp", 0, "--length", len(HOSTILE) + 1, "--prime", "\n").text
    assert out == f"\n{HOSTILE}\n"


def parsed(charrnn: Charrnn, *words: object) -> Any:
    return charrnn(*words, "--json").json()


def test_hostile_text_json_is_ascii_and_complete(charrnn: Charrnn, hostile: Path) -> None:
    name = NAME.removesuffix(".txt")
    assert parsed(charrnn, "train", NAME, *SMALL, "--out", name)["checkpoint"] == f"checkpoints/{name}.safetensors"
    counted = parsed(charrnn, "ngram", NAME, "--smoothing", "ml", "--order", 3)
    assert counted["checkpoint"].endswith("-ml-3.safetensors")
    scored = parsed(charrnn, "score", name, "--window", 8, "--online")
    assert {"bits_per_char", "window", "online"} <= scored.keys()
    assert parsed(charrnn, "data", "inspect", NAME, "--no-advice")["vocab_size"] == len(set(TEXT))
    assert parsed(charrnn, "inspect", name)["text"]["path"] == NAME
    rows = parsed(charrnn, "compare", "--length", 50, "--novelty-length", 60)
    assert set("".join(row["sample"] for row in rows)) <= set(TEXT)
    assert any("\x1b" in row["sample"] for row in rows)


def test_infinite_score_in_json_is_null(charrnn: Charrnn, folder: Path) -> None:
    """An unsmoothed model assigns probability 0 to held-out text, which gives an infinite score."""
    (folder / "odd.txt").write_text("a\n" * 450 + "aa\n\n" * 25, encoding="utf-8")
    fitted = parsed(charrnn, "ngram", "odd.txt", "--smoothing", "ml", "--order", 3, "--online")
    scored = parsed(charrnn, "score", "--online", "--window", 4)
    compared = parsed(charrnn, "compare", "--length", 0, "--novelty-length", 0, "--baselines", "none")[0]
    for facts in (fitted, scored, scored["online"], scored["window"], compared):
        assert "bits_per_char" in facts
    assert fitted["bits_per_char"] is None
    assert (compared["sample"], compared["bits_per_char"]) == ("", None)
