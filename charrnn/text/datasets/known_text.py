"""A text that has a name: where it comes from, and how it is fetched into a folder.

A text is made in pieces, which go to a temporary file beside the finished one. It gets its name when it is whole and
its SHA-256 is the one expected, so a broken fetch leaves nothing behind.

This module prints nothing and draws no bar: `fetch` yields what is done, and the caller shows it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from charrnn.errors import TextError
from charrnn.files import atomic_write


class FetchProgress(NamedTuple):
    """How far a fetch is: `done` of `total` units (None: unknown), and what it is busy with."""

    done: int
    total: int | None
    unit: str
    note: str


Pieces = Generator[tuple[bytes, FetchProgress], None, None]
"""The content of a text, piece by piece."""


@dataclass(frozen=True)
class KnownText:
    """A text with a name.

    Attributes:
        source: where it comes from, in words.
        size: the bytes of the finished file; None where they depend on the machine.
        sha256: that of the finished file, in hexadecimal; None where it depends on the machine.
        pieces: starts making the text; the pieces, joined, are the finished file.
    """

    name: str
    source: str
    licence: str
    size: int | None
    sha256: str | None
    pieces: Callable[[], Pieces]

    @property
    def file_name(self) -> str:
        """The name of the finished file in its folder."""
        return f"{self.name}.txt"


def fetch(text: KnownText, folder: Path) -> Generator[FetchProgress, None, None]:
    """Make `folder / text.file_name`; it is there when the generator is exhausted.

    Raises TextError if the text cannot be had or written, or is not the one expected.
    """
    finished = folder / text.file_name
    digest = hashlib.sha256()
    try:
        with atomic_write(finished) as temporary:
            with temporary.open("wb") as file, contextlib.closing(text.pieces()) as pieces:
                for piece, progress in pieces:
                    file.write(piece)
                    digest.update(piece)
                    yield progress
            check_sha256(text.name, text.sha256, digest.hexdigest())
    except OSError as error:
        raise TextError(
            f"cannot write {finished}: {error.strerror or error}; "
            "run it in a folder that has room and that you may write to"
        ) from error


def check_sha256(name: str, expected: str | None, actual: str) -> None:
    """Raise TextError where something fetched is not what was expected."""
    if expected not in (None, actual):
        raise TextError(
            f"{name} is not the text expected: SHA-256 {expected} expected, {actual} found; "
            "try again, and if it stays so, do not use it but bring a text of your own"
        )


def cannot_fetch(name: str, why: str, next_step: str) -> TextError:
    """The error of a text that cannot be fetched: one line, whatever pip or the network says."""
    reason = " ".join(why.split())
    return TextError(f"cannot fetch {name}: {reason}; {next_step}, or take `python`, which needs no network")
