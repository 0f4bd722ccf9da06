"""A column of `charrnn compare` is one record: it is in every output, and gone with the record."""

import csv
from pathlib import Path

import pytest
from program import QUICK, Charrnn

from charrnn.scoring.compare import columns
from charrnn.scoring.compare.columns import BOTH, COLUMNS, Column

WORDS = ("compare", "text-lstm", *QUICK, "--baselines", "none", "--online")
LETTERS = Column(
    "letters_in_name", lambda row: len(_name(row)), "name\nletters", lambda row: f"{len(_name(row))} letters", BOTH
)


def _name(row: columns.AnyRow) -> str:
    name: str = COLUMNS[0].value(row)
    return name


def outputs(
    charrnn: Charrnn, folder: Path
) -> tuple[dict[str, list[dict[str, object]]], list[dict[str, str]], str, str]:
    """JSON, CSV, table and page."""
    tables = charrnn(*WORDS, "--out", "table.csv", "--json").json()
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    page = Path(charrnn("view", "text-lstm", "--length", 50).text.strip()).read_text(encoding="utf-8")
    return tables, lines, charrnn(*WORDS).err, page


def test_column_defined_in_one_record_is_in_every_output(
    charrnn: Charrnn, models: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(columns, "COLUMNS", (*COLUMNS, LETTERS))
        tables, lines, shown, page = outputs(charrnn, folder)
    rows = [*tables["static"], *tables["online"]]
    assert [row["letters_in_name"] for row in rows] == [len(str(row["model"])) for row in rows]
    assert [line["letters_in_name"] for line in lines] == [str(len(line["model"])) for line in lines]
    assert list(lines[0])[-1] == "letters_in_name"
    assert shown.count("letters\n") == 2  # above both tables
    assert shown.count(" 8 letters") >= 2  # lstm 1x8
    assert '<th scope="col">name letters</th>' in page
    assert "<td>8 letters</td>" in page
    tables, lines, shown, page = outputs(charrnn, folder)
    assert "letters_in_name" not in {*tables["static"][0], *tables["online"][0], *lines[0]}
    assert "letters" not in shown + page


def test_columns_of_csv_keep_their_order() -> None:
    assert [column.key for column in COLUMNS if column.in_csv] == [
        "model", "checkpoint", "kind", "is_baseline", "bits_per_char", "nats_per_char", "impossible_share",
        "characters", "split", "part", "rule", "parameters", "entries", "bytes", "fit_seconds", "chars_per_second",
        "sampling_chars_per_second", "how", "seconds", "device", "version",
    ]  # fmt: skip
