"""Terminal output: messages on stderr, progress bars, JSON on stdout. Control characters are always escaped."""

from __future__ import annotations

import json
import math
import os
import shlex
import stat
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

from charrnn.text.sanitize import escape_control_chars as escape_control_chars
from charrnn.text.sanitize import is_plain
from charrnn.torchrun import is_rank_zero

LABEL = 12
"""Width of line labels, in columns."""
IN_NOTEBOOK = "JPY_PARENT_PID"
"""The environment variable that Jupyter and Colab set for processes started from a cell."""
BAR_DELAY = 1.0
"""Delay before a progress bar appears, in seconds: shorter work needs no bar."""

_live_console: list[Console] = []
"""The console of the live display, if there is one: lines printed through it appear above the display."""


def console() -> Console:
    """Return the console for messages and tables: standard error, or the console of the live display."""
    return _live_console[-1] if _live_console else Console(stderr=True, highlight=False, markup=False, emoji=False)


def supports_live_display() -> bool:
    """Whether standard error is a terminal that supports a live display."""
    if IN_NOTEBOOK in os.environ:  # a notebook would show each redraw below the previous one
        return False
    screen = console()
    return is_rank_zero() and sys.stderr.isatty() and screen.is_terminal and not screen.is_dumb_terminal


class _MeasuredLines:
    """Lines of a live display, with their lengths at the last redraw."""

    def __init__(self, lines: Callable[[ConsoleOptions], Iterable[Text]]) -> None:
        self.lines = lines
        self.lengths: list[int] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        lines = list(self.lines(options))
        self.lengths = [line.cell_len for line in lines]
        yield from lines


@contextmanager
def live_display(lines: Callable[[ConsoleOptions], Iterable[Text]]) -> Iterator[Callable[[], None]]:
    """Show lines that stay below all other output, and remove them at the end.

    Args:
        lines: returns the current lines, each shorter than the width of the terminal.

    Yields:
        A function that redraws the lines.
    """
    screen, measured = console(), _MeasuredLines(lines)
    live = Live(
        measured, console=screen, auto_refresh=False, transient=True, redirect_stdout=False, vertical_overflow="crop"
    )
    width = screen.width

    def draw() -> None:
        nonlocal width
        if screen.width < width:  # the terminal became narrower and wrapped lines, so there are more to erase
            for _ in range(sum((length - 1) // screen.width for length in measured.lengths if length)):
                screen.control(Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)))
        width = screen.width
        live.refresh()

    with live:
        _live_console.append(screen)
        screen.show_cursor(True)  # otherwise a killed process would leave the terminal without a cursor
        try:
            yield draw
        finally:
            _live_console.pop()


def log(line: str, style: str = "") -> None:
    """Print a line on stderr, above any progress bar; control characters are escaped."""
    _print(Text(one_line(line), style=style))


def _print(text: Text) -> None:
    if not is_rank_zero():  # other processes of torchrun would print the same
        return
    with tqdm.external_write_mode(file=sys.stderr):
        console().print(text, soft_wrap=True)


def log_field(label: str, value: str) -> None:
    """Print a labeled line on stderr, above any progress bar."""
    _print(Text.assemble((f"{label:<{LABEL}}", "bold"), one_line(value)))


def log_wrapped(label: str, value: str) -> None:
    """Print a labeled line like `log_field`; on a terminal, wrapped between words and indented."""
    screen = console()
    line = one_line(value)
    if screen.is_terminal:
        line = "\n".join(textwrap.wrap(line, max(LABEL, screen.width - LABEL - 1), break_on_hyphens=False))
    _print(Text.assemble((f"{label:<{LABEL}}", "bold"), line.replace("\n", f"\n{'':{LABEL}}")))


def progress_bar(
    total: int | None, label: str, unit: str, delay: float = 0.0, hidden: bool = False, **options: Any
) -> tqdm[Any]:
    """Make a progress bar on stderr; the bar is hidden if stderr is not a terminal."""
    return tqdm(
        total=total, desc=one_line(label), unit=unit, delay=delay, disable=hidden or not is_rank_zero() or None,
        leave=False, file=sys.stderr, dynamic_ncols=True, unit_scale=unit != "step", **options,
    )  # fmt: skip


@contextmanager
def progress(label: str, unit: str, delay: float = BAR_DELAY) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr after `delay` seconds; yield a callback for the amount done and the total."""
    with progress_bar(None, label, unit, delay) as shown:

        def update(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield update


def text_writer() -> Callable[..., None]:
    """Return a function `write(text, is_red=False)` to stdout: escaped on a terminal, otherwise UTF-8 bytes."""
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without é shows ?

        def write(text: str, is_red: bool = False) -> None:
            sys.stdout.write(f"\x1b[31m{escape_control_chars(text)}\x1b[0m" if is_red else escape_control_chars(text))
            sys.stdout.flush()
    else:

        def write(text: str, is_red: bool = False) -> None:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()

    return write


def is_to_file() -> bool:
    """Whether standard output goes to a file."""
    return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)


def has_colors() -> bool:
    """Whether standard output is a terminal with colors, and NO_COLOR is not set."""
    screen = Console(file=sys.stdout)
    return sys.stdout.isatty() and screen.color_system is not None and not screen.no_color


def print_json(value: object, indent: int | None = None) -> None:
    """Print a result as ASCII JSON on stdout; infinities and NaN, which JSON does not have, become null."""
    print(json.dumps(_finite(value), indent=indent, allow_nan=False))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def one_line(text: str) -> str:
    """Return a text on one line, with line breaks as ↵ and control characters escaped."""
    return escape_control_chars(text, "↵")


def shell_quoted(word: object) -> str:
    """Quote a word of a command, such as a file name, for a shell.

    Control characters are escaped in octal between $' and ', as in bash, zsh and POSIX since 2024.
    """
    plain = str(word)
    if plain.startswith("-") and plain != "-":
        plain = f"./{plain}"  # otherwise the word would be an option; - is standard input
    if all(map(is_plain, plain)):
        return shlex.quote(plain)
    return "$'" + "".join(map(_escaped, plain)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    return character if is_plain(character) else "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
