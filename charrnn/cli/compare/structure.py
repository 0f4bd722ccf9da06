"""What `compare --structure` shows: where a network wins against n-grams, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.cli.shared.tables import figures_table, show_table
from charrnn.cli.shared.terminal import console, one_line
from charrnn.formatting import percent
from charrnn.scoring.structure.figures import AtContext, Closed, Difference, Indented, Structure

MIN_CASES = 10
"""The fewest cases of a line that is shown."""


def show_structure(structure: Structure, of_characters: int) -> None:
    """Print all tables, of a text of which so many characters could have been read."""
    screen = console()
    screen.print()
    screen.rule(f"Where {one_line(structure.network)} differs from {one_line(structure.counts)}", align="left")
    _show_contexts(structure.contexts)
    screen.print(
        f"\nBits of the next character at {structure.places:,} places (seed {structure.seed}), if the last so many "
        "characters are all that is seen; lost: by the network, against all that came before.\n"
    )
    if any(row.bits.cases >= MIN_CASES for row in structure.closings):
        _show_closings(structure)
        screen.print(
            "\nBits of what closes a bracket, a quote or a tag, by how many characters before it was opened; lines of "
            f"fewer than {MIN_CASES} cases are left out.\n"
        )
    if structure.brackets:
        _show_brackets(structure.brackets)
        screen.print(
            "\nWhere a bracket closes: how often the right one is the likeliest of all that close, and of all "
            "characters.\n"
        )
    else:
        screen.print("No bracket is closed in this text.")
    if structure.indentation:
        _show_indentation(structure.indentation)
        screen.print(
            "\nIndentation of lines that are not blank, by what it is to the line before. Right: each of its blanks is "
            "the likeliest character, and then something else is.\n"
        )
    else:
        screen.print("It has too few indented lines to look into.")
    read, cut = structure.characters, ""
    if read < of_characters:
        cut = f"The first {read:,} of {of_characters:,} held-out characters (--limit 0: all). "
    screen.print(
        f"{cut}Difference: the network's bits less those of the n-grams, with its standard error; *: more than two of "
        "them from 0."
    )


def _show_contexts(rows: Sequence[AtContext]) -> None:
    table = figures_table("context", "network", "", "n-grams", "", "lost", "")
    for row in rows:
        figures = ((row.network, row.network_error), (row.counts, row.counts_error))
        cells = [cell for mean, error in figures for cell in (f"{mean:.3f}", _error(error))]
        # Without the sum, what is rounded to 0 from below would keep its sign.
        lost = (f"{round(row.lost, 3) + 0.0:+.3f}", _error(row.lost_error)) if row.length else ("", "")
        table.add_row(f"{row.length:,}" if row.length else "all", *cells, *lost)
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


def _show_brackets(rows: Sequence[Closed]) -> None:
    table = figures_table(
        "closing", "cases", "network:\nof brackets", "n-grams:\nof brackets", "network:\nof all", "n-grams:\nof all"
    )
    for row in rows:
        shares = (row.network_among, row.counts_among, row.network_first, row.counts_first)
        table.add_row(row.kind[-1], f"{row.cases:,}", *map(percent, shares))
    show_table(table)


def _show_indentation(rows: Sequence[Indented]) -> None:
    headers = ("network:\nright", "n-grams:\nright", "network:\nbits", "n-grams:\nbits")
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
