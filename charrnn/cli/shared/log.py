"""Standard error as a log that may be lost: its reader goes away, its disk is full, its terminal is closed.

What is said on the way is not the product; so where it cannot be written, the command goes on without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Log:
    """A text stream that never fails. The first error sends all that follows nowhere.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose, a text."""
        try:
            self._stream.write(text)
        except OSError:
            self._lose()
        return len(text)

    def flush(self) -> None:
        """Write what is waiting, or lose it."""
        try:
            self._stream.flush()
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """Put the null device in the place of the file, for whoever else writes there, too."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def may_be_lost() -> Iterator[None]:
    """Make standard error such a log."""
    before = sys.stderr
    sys.stderr = Log(before)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
