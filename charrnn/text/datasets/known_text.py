"""A known text: its name, its source, and fetching it into a folder.

A text is produced in pieces, which go to a temporary file next to the final one. The file is renamed once it is
complete and has the expected SHA-256, so a failed fetch leaves nothing behind.

Nothing is printed here: `fetch` yields its progress, and the caller displays it.
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

OFFLINE_TEXT = "`python`, which needs no network"
"""What to use instead of a text that cannot be fetched."""


class FetchProgress(NamedTuple):
    """The progress of a fetch: `done` of `total` units (None: unknown), and the current item."""

    done: int
    total: int | None
    unit: str
    note: str


Pieces = Generator[tuple[bytes, FetchProgress], None, None]
"""The content of a text, piece by piece, with the progress after each piece."""


@dataclass(frozen=True)
class KnownText:
    """A text that can be fetched by name.

    Attributes:
        source: the origin, as shown to the user.
        size: the size of the file in bytes; None if it depends on the machine.
        sha256: SHA-256 of the file, in hexadecimal; None if it depends on the machine.
        pieces: starts producing the text; the concatenated pieces are the file.
    """

    name: str
    source: str
    licence: str
    size: int | None
    sha256: str | None
    pieces: Callable[[], Pieces]

    @property
    def file_name(self) -> str:
        """The name of the file in its folder."""
        return f"{self.name}.txt"


def fetch(text: KnownText, folder: Path) -> Generator[FetchProgress, None, None]:
    """Create `folder / text.file_name`; the file is complete once the generator is exhausted.

    Raises TextError if the text cannot be fetched or written, or does not have the expected SHA-256.
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
            f"{finished}: cannot write the file: {error.strerror or error}; "
            "run the command in a writable folder with enough free space"
        ) from error


def check_sha256(name: str, expected: str | None, actual: str) -> None:
    """Raise TextError if the SHA-256 of a download is not the expected one."""
    if expected not in (None, actual):
        raise TextError(
            f"{name}: expected SHA-256 {expected}, found {actual}; try again, and if the problem persists, "
            "use a text of your own"
        )


def cannot_fetch(name: str, why: str, next_step: str, instead: str = OFFLINE_TEXT) -> TextError:
    """Return the error for a text that cannot be fetched, as one line even if pip's or the network's message is not."""
    reason = " ".join(why.split())
    return TextError(f"{name}: cannot be fetched: {reason}; {next_step}, or use {instead}")
