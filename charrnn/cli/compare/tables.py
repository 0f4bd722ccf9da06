"""Output of `charrnn compare`: the static and the online table, the tables about copying, and samples."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.checkpoint import Checkpoint
from charrnn.cli.shared.novelty import show_curve, show_novelty
from charrnn.cli.shared.tables import plain_table, show_table, show_title
from charrnn.cli.shared.terminal import console, escape_control_chars, log_field, one_line
from charrnn.config import SMOOTHINGS
from charrnn.formatting import part_name, percent, plural
from charrnn.pipeline.compare import Comparison
from charrnn.scoring.compare.columns import AnyRow, shown_columns
from charrnn.scoring.compare.rows import OnlineRow, Row, knows_ngrams

MIXTURE_PARTS = {"network": "network", "counts": "n-grams"}
"""Names of a mixture's parts by the ending that `split_mixture` gives them."""


def show(comparison: Comparison) -> None:
    """Print the static table, and what it means."""
    screen, rows, split = console(), comparison.rows, comparison.split
    _show_columns("model", Row, [(_name_in_table(label, row), row) for label, row in _labeled(rows)])
    characters = plural(len(split.text), "held-out character")
    source = one_line(comparison.corpus.source)
    where = source if split.part == "all" else f"{part_name(split.part)} part of {source}, split {split.split}"
    rule = split.rule.removeprefix("static, ")
    screen.print(
        f"\nStatic scores on {characters} ({where}), {rule}: models do not learn from the text they are scored on. "
        "p: parameters, n: n-grams."
    )
    if any(row.score.impossible for row in rows):
        screen.print("Impossible: the share of characters with probability 0; a single one makes bits/char infinite.")
    words = {word for row in rows for word in row.checkpoint.description.split()}
    legend = "; ".join(f"{name}: {smoothing.help}" for name, smoothing in SMOOTHINGS.items() if name in words)
    if legend:
        screen.print(f"{legend}.")
    if any(knows_ngrams(row.checkpoint) for row in rows):
        screen.print(
            "+ N-grams: a network with embeddings of frequent n-grams, which does not learn from characters alone."
        )
    if any(row.is_baseline for row in rows):
        is_mixed = any(row.is_baseline and row.checkpoint.kind == "mixture" for row in rows)
        mean = " The weights of the mixture are fixed; `train --with-ngram` fits better ones." if is_mixed else ""
        screen.print(f"*: a baseline fitted for this table, not saved.{mean}")


def show_online(rows: Sequence[OnlineRow]) -> None:
    """Print the online table, if it has rows, and what it means."""
    if not rows:
        return
    screen = console()
    screen.print()
    _show_columns("online", OnlineRow, [(one_line(row.label), row) for row in rows])
    read = next(row.score.characters for row in rows if row.score)
    total = len(rows[0].split.text)
    cut = f"the first {read:,} of {total:,} held-out characters (--limit 0: all)" if read < total else ""
    screen.print(
        f"\nOnline, on {cut or f'the same {read:,} held-out characters'}: each character is predicted and then learned "
        "from, so these figures are not comparable with the static table. Compressors: the growth of the compressed "
        "training part when the held-out text is appended to it."
    )


def show_copies(comparison: Comparison) -> None:
    """Print the tables about copying, if it was measured; the last row is held-out text."""
    rows = comparison.rows
    judged = [(label, row.novelty) for label, row in _labeled(rows) if row.novelty]
    judged += [("held-out text", row.held_out_novelty) for row in rows[:1] if row.held_out_novelty]
    if judged and comparison.training:
        console().print()
        show_novelty(judged, comparison.training)
        console().print()
        show_curve(judged)


def show_samples(comparison: Comparison) -> None:
    """Print the sample of each model."""
    prime = comparison.config.prime
    console().print()
    after = f', after "{one_line(prime)}"' if prime else ""
    for row in comparison.rows:
        what, name = row.checkpoint.description, _display_name(row.checkpoint)
        show_title(f"{what if row.is_baseline else f'{name} ({what})'}{after}")
        console().print(escape_control_chars(row.sample), soft_wrap=True)
    best = comparison.rows[0]  # once more at the end: the tables have scrolled away
    name = best.checkpoint.description if best.is_baseline else _display_name(best.checkpoint)
    console().print()
    log_field("best", f"{name}: {best.score}")


def _show_columns(header: str, kind: type[AnyRow], rows: Sequence[tuple[str, AnyRow]]) -> None:
    """Print the columns that have a header, after a column with the name of each row."""
    table = plain_table(collapse_padding=True)
    table.add_column(header, overflow="fold")
    columns = shown_columns(kind)
    for column in columns:
        if column.is_text:
            table.add_column(column.header, overflow="fold")
        else:
            table.add_column(column.header, justify="right", no_wrap=True)
    for name, row in rows:
        table.add_row(name, *(column.show(row) for column in columns))
    show_table(table)


def _labeled(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Label each row with the model's description, or checkpoints with their names if descriptions are not unique."""
    descriptions = {row.checkpoint.description for row in rows}
    is_unique = len(descriptions) == len(rows)
    return [
        (row.checkpoint.description if is_unique or row.is_baseline else _display_name(row.checkpoint), row)
        for row in rows
    ]


def _display_name(checkpoint: Checkpoint) -> str:
    """Return the name of a checkpoint; a part of a mixture has no file of its own."""
    name, _, part = one_line(checkpoint.name).rpartition(".")
    is_part = part in MIXTURE_PARTS and not checkpoint.path.exists()
    return f"{name} ({MIXTURE_PARTS[part]} alone)" if is_part else one_line(checkpoint.name)


def _name_in_table(label: str, row: Row) -> str:
    """Return the first cell of a row: the label, a mark for baselines, and the share of impossible characters."""
    zeros = f"\n({percent(row.score.impossible_share)} impossible)" if row.score.impossible else ""
    return f"{'* ' * row.is_baseline}{label}{zeros}"
