"""docs/reference/json-and-csv.md names every key that a command prints with --json, and the columns of CSV files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import QUICK, SMALL, Charrnn

from charrnn.scoring.compare.columns import COLUMNS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "json-and-csv.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(\w+)`", PAGE))
"""The words that the page shows as code."""
FREE_KEYS = {"curve", "separators"}
"""Objects whose keys depend on the text."""
CODE = "def f(a):\n    return [a, (a), {a: 1}]\n\n\nclass C:\n    def g(self):\n        return self.x\n" * 60
COMMANDS = (
    ("train", "text.txt", "--with-ngram", *SMALL, "--out", "both"),
    ("ngram", "text.txt", "--order", 3, "--online", "--force"),
    ("sample", "lstm", "--length", 3, "--mix", "counts:0.5"),
    ("sample", "lstm", "--length", 3, "--beam", 2),
    ("score", "lstm", "--window", 8, "--online", "--lines"),
    ("score", "lstm", "counts", "--text", "other.txt"),
    ("compare", "lstm", "counts", "--online", "--structure", *QUICK[:2], "--novelty-length", 60),
    ("inspect", "lstm-last"),
    ("inspect", "both"),
    ("data", "inspect", "text.txt", "--no-advice"),
    ("complete", "lstm", "other.txt", "--accuracy", "--sep", "(", "--length", 3),
    ("lab",),
)
"""Commands of a few seconds in all, which print every kind of object."""


@pytest.fixture
def models(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 20)
    (folder / "text.txt").write_text(CODE)
    (folder / "other.txt").write_text("def f(x):\n" * 3)
    for words in (("train", "text.txt", *SMALL, "--out", "lstm"), ("ngram", "text.txt", "--out", "counts")):
        assert charrnn(*words).status == 0


def keys_of(value: Any) -> Iterator[str]:
    """The keys of all objects in a JSON value."""
    for item in value if isinstance(value, list) else ():
        yield from keys_of(item)
    for key, item in value.items() if isinstance(value, dict) else ():
        yield key
        if key not in FREE_KEYS:
            yield from keys_of(item)


@pytest.mark.usefixtures("models")
def test_page_names_every_json_key_that_is_printed(charrnn: Charrnn, folder: Path) -> None:
    for words in COMMANDS:
        missing = set(keys_of(charrnn(*words, "--json").json())) - NAMED
        assert not missing, f"{' '.join(map(str, words))} prints {sorted(missing)}, which the page does not name"
    assert set(keys_of(json.loads(charrnn("data", "list", "--json").out))) <= NAMED
    records = (folder / "checkpoints" / "lstm.jsonl").read_text().splitlines()
    assert set(keys_of([json.loads(line) for line in records])) <= NAMED


def test_page_names_every_column_of_lab_files() -> None:
    headers = [path.read_text(encoding="utf-8").splitlines()[0] for path in (ROOT / "docs" / "lab").glob("*.csv")]
    assert headers
    assert {name for header in headers for name in header.split(",")} <= NAMED


def test_page_shows_the_columns_of_compare_csv() -> None:
    assert ",".join(column.key for column in COLUMNS if column.in_csv) in PAGE.splitlines()
