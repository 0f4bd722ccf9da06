"""Text on standard output: to a terminal what a person can read, to a pipe or a file the very characters in UTF-8."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

from rich.console import Console

from charrnn.cli.shared.terminal import visible

RED, PLAIN = "\x1b[31m", "\x1b[0m"


def text_writer() -> Callable[..., None]:
    """A function that writes a piece of text: `write(text, is_red=False)`."""
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show é shows ?

        def write(text: str, is_red: bool = False) -> None:
            sys.stdout.write(f"{RED}{visible(text)}{PLAIN}" if is_red else visible(text))
            sys.stdout.flush()
    else:

        def write(text: str, is_red: bool = False) -> None:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()

    return write


def is_to_file() -> bool:
    """Whether standard output goes to a file."""
    return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)


def has_colours() -> bool:
    """Whether standard output is a terminal that has colours, and its user wants them (NO_COLOR)."""
    screen = Console(file=sys.stdout)
    return sys.stdout.isatty() and screen.color_system is not None and not screen.no_color
