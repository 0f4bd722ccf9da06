"""Tables of `compare --structure`: where a network and n-grams differ."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.cli.shared.tables import figures_table, show_table
from charrnn.cli.shared.terminal import console, one_line
from charrnn.formatting import percent
from charrnn.scoring.structure.figures import BracketAccuracy, ContextBits, Difference, IndentationAccuracy, Structure

MIN_CASES = 10
"""The minimum number of cases in a row of a table."""


def show_structure(structure: Structure, of_characters: int) -> None:
    """Print all tables.

    Args:
        structure: the figures.
        of_characters: the number of held-out characters, of which both models may have read fewer.
    """
    screen = console()
    screen.print()
    screen.rule(f"Where {one_line(structure.network)} differs from {one_line(structure.counts)}", align="left")
    _show_contexts(structure.contexts)
    screen.print(
        f"\nMean bits of the next character, given only the last characters (context), at {structure.places:,} random "
        f"places (seed {structure.seed}). Lost: the network's extra bits compared with all of the context. ±: standard "
        "error.\n"
    )
    has_closings = any(row.bits.cases >= MIN_CASES for row in structure.closings)
    if has_closings:
        _show_closings(structure)
        screen.print(
            "\nMean bits of the characters that close a bracket, a quote or a tag, by the distance from the opening in "
            f"characters; rows with fewer than {MIN_CASES} cases are not shown.\n"
        )
    if structure.brackets:
        _show_brackets(structure.brackets)
        screen.print(
            "\nWhere a bracket closes: how often the right one is the likeliest of all closing brackets (brackets), "
            "and of all characters (all).\n"
        )
    else:
        screen.print("No bracket is closed in this text.")
    if structure.indentation:
        _show_indentation(structure.indentation)
        screen.print(
            "\nIndentation of non-blank lines, compared with the line before. Right: the share of lines whose "
            "indentation the model finds likeliest, character by character. Bits: the mean per line.\n"
        )
    else:
        screen.print("Too few lines of this text are indented to compare indentation.")
    if has_closings or structure.indentation:
        screen.print(
            "Difference: bits of the network minus bits of the n-grams (negative: the network is better), with "
            "standard error; *: more than two standard errors from 0."
        )
    if structure.characters < of_characters:
        read = f"the first {structure.characters:,} of {of_characters:,} held-out characters"
        screen.print(f"Measured on {read} (--limit 0: all).")


def _show_contexts(rows: Sequence[ContextBits]) -> None:
    table = figures_table("context", "network", "", "n-grams", "", "lost", "")
    for row in rows:
        figures = ((row.network, row.network_error), (row.counts, row.counts_error))
        cells = [cell for mean, error in figures for cell in (f"{mean:.3f}", _error(error))]
        # Adding 0 turns -0.0 into 0.0.
        lost = (f"{round(row.lost, 3) + 0.0:+.3f}", _error(row.lost_error)) if row.length else ("", "")
        table.add_row(f"last {row.length:,}" if row.length else "all", *cells, *lost)
    show_table(table)


def _show_closings(structure: Structure) -> None:
    table = figures_table("closing", "distance", "cases", "network", "n-grams", "difference", "")
    before = ""
    for row in structure.closings:
        if row.bits.cases >= MIN_CASES:
            of_bits = (f"{row.bits.network:.2f}", f"{row.bits.counts:.2f}", *_difference(row.bits))
            kind = "" if row.kind == before else row.kind
            table.add_row(kind, f"{row.low:,}-{row.high:,}", f"{row.bits.cases:,}", *of_bits)
            before = row.kind
    show_table(table)


def _show_brackets(rows: Sequence[BracketAccuracy]) -> None:
    table = figures_table(
        "closing", "cases", "network,\nbrackets", "n-grams,\nbrackets", "network,\nall", "n-grams,\nall"
    )
    for row in rows:
        shares = (row.network_among, row.counts_among, row.network_first, row.counts_first)
        table.add_row(row.kind[-1], f"{row.cases:,}", *map(percent, shares))
    show_table(table)


def _show_indentation(rows: Sequence[IndentationAccuracy]) -> None:
    headers = ("network,\nright", "n-grams,\nright", "network,\nbits", "n-grams,\nbits")
    table = figures_table("indentation", "lines", *headers, "difference", "")
    for row in rows:
        bits = row.bits
        of_bits = (f"{bits.network:.2f}", f"{bits.counts:.2f}", *_difference(bits))
        table.add_row(row.change, f"{bits.cases:,}", percent(row.network_right), percent(row.counts_right), *of_bits)
    show_table(table)


def _difference(bits: Difference) -> tuple[str, str]:
    is_sure = bits.error is not None and abs(bits.difference) > 2 * bits.error
    return f"{bits.difference:+.2f}{'*' if is_sure else ' '}", _error(bits.error, 2)


def _error(error: float | None, digits: int = 3) -> str:
    return "" if error is None else f"±{error:.{digits}f}"
