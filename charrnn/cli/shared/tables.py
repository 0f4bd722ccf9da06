"""Tables in the terminal: one style, and a list layout for tables that are wider than the terminal."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from charrnn.cli.shared.terminal import console

MIN_NAME_WIDTH = 12
"""Minimum width of a column of names; longer names are wrapped."""


def plain_table(*headers: str, **options: Any) -> Table:
    """Make a table without lines, with bold headers; `options` are those of rich's Table."""
    return Table(*headers, box=None, header_style="bold", pad_edge=False, **options)


def figures_table(name: str, *headers: str, **options: Any) -> Table:
    """Make a plain table with a column of names, which may wrap, and right-aligned columns of figures."""
    table = plain_table(**options)
    table.add_column(name, overflow="fold")
    for header in headers:
        table.add_column(header, justify="right")
    return table


def show_table(table: Table) -> None:
    """Print a table; if the terminal is too narrow for its figures, print each row as lines of header and value."""
    screen = console()
    if _min_width(table) <= screen.width:
        screen.print(table)
        return
    headers = [" ".join(str(column.header).replace("/\n", "/").split()) for column in table.columns]
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        name, *rest = (cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells)
        screen.print(name, style="bold", overflow="fold")
        for header, value in zip(headers[1:], rest, strict=True):
            if value.plain:
                value.plain = ", ".join(value.plain.split("\n"))
                screen.print(Text.assemble(f"  {header} " if header else "  ", value), overflow="fold")


def show_title(title: str) -> None:
    """Print a title in a line across the terminal, or without the line if the title is longer."""
    screen = console()
    if cell_len(title) + 2 > screen.width:
        screen.print(title, style="bold", overflow="fold")
    else:
        screen.rule(title, align="left")


def _min_width(table: Table) -> int:
    """Return the width at which only names need to wrap."""
    width = 0
    for column in table.columns:
        lines = [line for cell in (column.header, *column.cells) for line in str(cell).splitlines()]
        words = lines if column.no_wrap else [word for line in lines for word in line.split()]
        longest = max(map(cell_len, words), default=0)
        width += min(longest, MIN_NAME_WIDTH) if column.overflow == "fold" else longest
    return width + (1 if table.collapse_padding else 2) * (len(table.columns) - 1)
