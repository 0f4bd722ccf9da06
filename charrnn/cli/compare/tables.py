"""What `compare` shows: figures, what is copied, and samples."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.cli.shared.novelty import show_curve, show_novelty
from charrnn.cli.shared.tables import plain_table, show_table, show_title
from charrnn.cli.shared.terminal import console, one_line, visible
from charrnn.config import SMOOTHINGS
from charrnn.format import figure, percent
from charrnn.scoring.compare.rows import HeldOut, Row
from charrnn.text.corpus import Corpus


def show(rows: Sequence[Row], part: HeldOut, corpus: Corpus) -> None:
    """Print the table of figures."""
    screen = console()
    table = plain_table(collapse_padding=True)
    table.add_column("model", overflow="fold")
    for header in (
        "bits/\nchar",
        "nats/\nchar",
        "size",
        "file",
        "fitted\nin",
        "scoring,\nchars/s",
        "sampling,\nchars/s",
    ):
        table.add_column(header, justify="right", no_wrap=True)
    for row, label in zip(rows, _labels(rows), strict=True):
        facts = row.as_json()
        sizes = ((facts["parameters"], "p"), (facts["entries"], "n"))
        size = "\n".join(f"{number:,} {unit}" for number, unit in sizes if number)
        table.add_row(
            _named(label, row),
            figure(row.score.bits_per_char),
            figure(row.score.nats_per_char),
            size,
            f"{facts['bytes'] / 1e6:.1f} MB",
            f"{facts['fit_seconds']:.1f} s",
            f"{facts['chars_per_second']:,}",
            f"{facts['sampling_chars_per_second']:,}",
        )
    show_table(table)
    where = f"{part.part} part of {one_line(corpus.source)}, split {part.split}"
    screen.print(f"\n{len(part.ids):,} held-out characters ({where}), {part.rule}. p: parameters, n: n-grams.")
    if any(row.score.impossible for row in rows):
        screen.print(
            "p = 0: the share of characters that a model takes for impossible, each of them infinitely surprising."
        )
    words = {word for row in rows for word in row.checkpoint.description.split()}
    legend = "; ".join(f"{one.name}: {one.help}" for one in SMOOTHINGS.values() if one.name in words)
    if legend:
        screen.print(f"{legend}.")
    if any(row.is_baseline for row in rows):
        blended = any(row.is_baseline and row.checkpoint.kind == "mixture" for row in rows)
        mean = "; weights of a mean were not fitted, `train --with-ngram` fits better ones" if blended else ""
        screen.print(f"*: made for this table{mean}.")


def show_copies(rows: Sequence[Row], fitted_on: Corpus) -> None:
    """Print the table of what is copied, the held-out text's row last."""
    console().print()
    found = [(label, row.novelty) for label, row in zip(_labels(rows), rows, strict=True) if row.novelty]
    found += [("held-out text", row.held_out_novelty) for row in rows[:1] if row.held_out_novelty]
    show_novelty(found, fitted_on)
    console().print()
    show_curve(found)


def show_samples(rows: Sequence[Row], prime: str) -> None:
    """Print what each model wrote."""
    screen = console()
    after = f', after "{one_line(prime)}"' if prime else ""
    for row in rows:
        what, name = row.checkpoint.description, one_line(row.checkpoint.name)
        show_title(f"{what if row.is_baseline else f'{name} ({what})'}{after}")
        screen.print(visible(row.sample), soft_wrap=True)


def _labels(rows: Sequence[Row]) -> list[str]:
    """What the models are, or their names where two are the same."""
    descriptions = [row.checkpoint.description for row in rows]
    return [
        one_line(row.checkpoint.name) if descriptions.count(description) > 1 else description
        for row, description in zip(rows, descriptions, strict=True)
    ]


def _named(label: str, row: Row) -> str:
    """A model's name in the table, so that 80 columns hold it, with what is to be said of it."""
    zeros = f"\n(p = 0: {percent(row.score.impossible_share)})" if row.score.impossible else ""
    return f"{'* ' * row.is_baseline}{label}{zeros}"
