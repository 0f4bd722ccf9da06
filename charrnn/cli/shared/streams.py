"""Standard streams that are closed, have no reader, or write to a full disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class LossyStream:
    """A text stream that never fails: after the first error it discards what is written.

    Messages are not the result of a command, so a command continues if they cannot be written.

    Args:
        stream: the stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write or discard a text."""
        try:
            self._stream.write(text)
        except OSError:
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Write or discard the content of the buffer."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        """Replace the file by the null device, also for other writers to the same descriptor."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lossy_stderr() -> Iterator[None]:
    """Replace `sys.stderr` by a stream that never fails."""
    before = sys.stderr
    sys.stderr = LossyStream(before)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before


def open_closed_streams() -> None:
    """Replace standard streams that are closed (`charrnn sample >&-`) by the null device."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def discard_stdout() -> None:
    """Discard unwritten output; otherwise the interpreter would try to write it at exit, and print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
