"""What goes to the screen, and how: people's lines on stderr, bars on a terminal only, nothing harmful to either."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text
from tqdm import tqdm

from charrnn.cli.shared.processes import is_first
from charrnn.text.sanitize import is_plain
from charrnn.text.sanitize import visible as visible

LABEL = 12
"""Columns of the labels of lines."""
IN_NOTEBOOK = "JPY_PARENT_PID"
"""The environment variable that Jupyter and Colab set for what a cell runs."""
BAR_DELAY = 1.0
"""Seconds before a bar appears: what is done sooner needs none."""


_in_place: list[Console] = []
"""The screen that a display which stays in place has, while there is one: only through it lines go above that."""


def console() -> Console:
    """Standard error, for tables and lines that people read."""
    return _in_place[-1] if _in_place else Console(stderr=True, highlight=False, markup=False, emoji=False)


def can_stay_in_place() -> bool:
    """Whether standard error is a terminal on which what was drawn can be drawn over."""
    if IN_NOTEBOOK in os.environ:  # its terminal shows each drawing below the one before
        return False
    screen = console()
    return is_first() and sys.stderr.isatty() and screen.is_terminal and not screen.is_dumb_terminal


class _Picture:
    """Lines that remember how long they were when they were drawn."""

    def __init__(self, lines: Callable[[ConsoleOptions], Iterable[Text]]) -> None:
        self.lines = lines
        self.lengths: list[int] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        found = list(self.lines(options))
        self.lengths = [line.cell_len for line in found]
        yield from found


@contextmanager
def in_place(lines: Callable[[ConsoleOptions], Iterable[Text]]) -> Iterator[Callable[[], None]]:
    """Lines that stay below all others that are printed, and are gone at the end; gives what draws them again.

    Args:
        lines: gives them as they are now, each shorter than the terminal is wide.
    """
    screen, picture = console(), _Picture(lines)
    live = Live(
        picture, console=screen, auto_refresh=False, transient=True, redirect_stdout=False, vertical_overflow="crop"
    )
    width = screen.width

    def draw() -> None:
        nonlocal width
        if screen.width < width:  # a narrower terminal has broken lines in two, so there is more to draw over
            for _ in range(sum((length - 1) // screen.width for length in picture.lengths if length)):
                screen.control(Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)))
        width = screen.width
        live.refresh()

    with live:
        _in_place.append(screen)
        screen.show_cursor(True)  # or a process that is killed would leave a terminal without one
        try:
            yield draw
        finally:
            _in_place.pop()


def say(line: str, style: str = "") -> None:
    """Print a line on stderr, above the bar if there is one, and visibly, for names of files may hold anything."""
    _print(Text(one_line(line), style=style))


def _print(text: Text) -> None:
    if not is_first():  # the others of torchrun would say the same
        return
    with tqdm.external_write_mode(file=sys.stderr):
        console().print(text, soft_wrap=True)


def field(label: str, value: str) -> None:
    """Print a labelled line on stderr, above the bar if there is one."""
    _print(Text.assemble((f"{label:<{LABEL}}", "bold"), one_line(value)))


def paragraph(label: str, value: str) -> None:
    """The same as `field`; on a terminal lines end between words, and begin below the value."""
    screen = console()
    line = one_line(value)
    if screen.is_terminal:
        line = "\n".join(textwrap.wrap(line, max(LABEL, screen.width - LABEL - 1), break_on_hyphens=False))
    _print(Text.assemble((f"{label:<{LABEL}}", "bold"), line.replace("\n", f"\n{'':{LABEL}}")))


def bar(
    total: int | None, label: str, unit: str, delay: float = 0.0, hidden: bool = False, **options: Any
) -> tqdm[Any]:
    """A progress bar on stderr, where that is a terminal."""
    return tqdm(
        total=total, desc=one_line(label), unit=unit, delay=delay, disable=hidden or not is_first() or None,
        leave=False, file=sys.stderr, dynamic_ncols=True, unit_scale=unit != "step", **options,
    )  # fmt: skip


@contextmanager
def progress(label: str, unit: str, delay: float = BAR_DELAY) -> Iterator[Callable[[int, int], None]]:
    """A bar as a function that is told how much is done, and of how much; it appears after a second."""
    with bar(None, label, unit, delay) as shown:

        def update(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield update


def print_json(value: object, indent: int | None = None) -> None:
    """Print a result on stdout, in ASCII. JSON has no infinite numbers, nor any that are none: they are null."""
    print(json.dumps(_finite(value), indent=indent, allow_nan=False))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def one_line(text: str) -> str:
    """Text on one line, as a quotation."""
    return visible(text, "↵")


def quoted(word: object) -> str:
    """A word of a command, such as the name of a file, as it can be shown, and pasted into a shell.

    What cannot be shown is written in octal, between $' and ', as POSIX 2024 has it, and bash and zsh long before.
    """
    plain = str(word)
    if plain.startswith("-"):
        plain = f"./{plain}"  # or it would be an option
    if all(map(is_plain, plain)):
        return shlex.quote(plain)
    return "$'" + "".join(map(_escaped, plain)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    return character if is_plain(character) else "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
