"""The columns of the tables of `charrnn compare`, defined once for the terminal, HTML, JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.formatting import figure
from charrnn.scoring.compare.rows import OnlineRow, Row, checkpoint_summary

AnyRow = Row | OnlineRow
BOTH = (Row, OnlineRow)
"""The row types of the static and the online table."""


@dataclass(frozen=True)
class Column:
    """A column of the static table, the online table, or both.

    Attributes:
        key: name in JSON and CSV.
        value: returns a row's value for JSON and CSV.
        header: header in the terminal and in HTML; "" if the column is not shown there. Line breaks are for the
            terminal.
        text: returns a row's text for the terminal and HTML, possibly several lines; None: `str` of the value.
        of: the row types that have this column.
        is_text: whether the column holds words, not numbers.
        in_csv: whether the column is in CSV files; multi-line texts and nested objects are not.
    """

    key: str
    value: Callable[[Any], Any]
    header: str = ""
    text: Callable[[Any], str] | None = None
    of: tuple[type, ...] = (Row,)
    is_text: bool = False
    in_csv: bool = True

    @property
    def title(self) -> str:
        """The header as one line."""
        return " ".join(self.header.replace("/\n", "/").split())

    def show(self, row: AnyRow) -> str:
        """Return a row's text for the terminal and HTML."""
        return self.text(row) if self.text else str(self.value(row))


def _of_checkpoint(key: str) -> Callable[[Row], Any]:
    return lambda row: checkpoint_summary(row.checkpoint)[key]


def _of_result(key: str) -> Callable[[AnyRow], Any]:
    return lambda row: getattr(row.result, key, None)


def _sizes(row: Row) -> str:
    summary = checkpoint_summary(row.checkpoint)
    sizes = ((summary["parameters"], "p"), (summary["entries"], "n"))  # a mixture has both
    return "\n".join(f"{number:,} {unit}" for number, unit in sizes if number)


COLUMNS: tuple[Column, ...] = (
    Column("model", lambda row: row.label if isinstance(row, OnlineRow) else row.checkpoint.description, of=BOTH),
    Column("checkpoint", lambda row: None if row.is_baseline else str(row.checkpoint.path)),
    Column("kind", _of_checkpoint("kind")),
    Column("is_baseline", lambda row: row.is_baseline),
    Column(
        "bits_per_char", _of_result("bits_per_char"), "bits/\nchar",
        lambda row: figure(row.score.bits_per_char) if row.score else "-", of=BOTH,
    ),
    Column(
        "nats_per_char", _of_result("nats_per_char"), "nats/\nchar",
        lambda row: figure(row.score.nats_per_char) if row.score else "-", of=BOTH,
    ),
    Column("impossible_share", _of_result("impossible_share"), of=BOTH),
    Column("characters", _of_result("characters"), of=BOTH),
    Column("split", _of_result("split"), of=BOTH),
    Column("part", lambda row: row.split.part, of=BOTH),
    Column("rule", _of_result("rule"), of=BOTH),
    Column("parameters", _of_checkpoint("parameters"), "size", _sizes),
    Column("entries", _of_checkpoint("entries")),  # shown in the size column
    Column("bytes", _of_checkpoint("bytes"), "file\nsize", lambda row: f"{row.checkpoint.size / 1e6:.1f} MB"),
    Column(
        "fit_seconds", _of_checkpoint("fit_seconds"), "training\ntime",
        lambda row: f"{checkpoint_summary(row.checkpoint)['fit_seconds']:.1f} s",
    ),
    Column("steps", _of_checkpoint("steps"), in_csv=False),
    Column(
        "chars_per_second", lambda row: round(row.chars_per_second), "scoring,\nchars/s",
        lambda row: f"{round(row.chars_per_second):,}",
    ),
    Column(
        "sampling_chars_per_second", lambda row: round(row.sampling_chars_per_second), "sampling,\nchars/s",
        lambda row: f"{round(row.sampling_chars_per_second):,}",
    ),
    Column("how", lambda row: row.how, "how it adapts", of=(OnlineRow,), is_text=True),
    Column(
        "seconds", lambda row: round(row.seconds, 3), "time",
        lambda row: f"{row.seconds:.1f} s" if row.score else "-", of=(OnlineRow,),
    ),
    Column("device", _of_checkpoint("device")),
    Column("version", _of_checkpoint("version")),
    Column("sample", lambda row: row.sample, in_csv=False),
    Column("seed", lambda row: row.seed, in_csv=False),
    Column("novelty", lambda row: row.novelty and row.novelty.as_json(), in_csv=False),
    Column("held_out_novelty", lambda row: row.held_out_novelty and row.held_out_novelty.as_json(), in_csv=False),
)  # fmt: skip
"""All columns, in the order of CSV files and of tables."""


def columns_of(kind: type[AnyRow]) -> list[Column]:
    """Return the columns of a row type."""
    return [column for column in COLUMNS if kind in column.of]


def shown_columns(kind: type[AnyRow]) -> list[Column]:
    """Return the columns to show in the terminal and in HTML: numbers first, then words."""
    return sorted((column for column in columns_of(kind) if column.header), key=lambda column: column.is_text)


def as_json(row: AnyRow) -> dict[str, Any]:
    """Return a row as JSON, under the keys that all of charrnn's JSON uses; a baseline's checkpoint is None."""
    return {column.key: column.value(row) for column in columns_of(type(row))}


def write_csv(path: Path, rows: Iterable[AnyRow]) -> None:
    """Write rows to a CSV file; the column `rule` tells static rows from online ones."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [column.key for column in COLUMNS if column.in_csv])
        writer.writeheader()
        for row in rows:
            writer.writerow({column.key: column.value(row) for column in columns_of(type(row)) if column.in_csv})
