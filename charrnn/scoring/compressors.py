"""What compressors need for a text after they have read another: models that learn while they read, by other means.

A compressor that has read the training part needs so many bytes more for the text behind it: size(both) − size(first).
That is an online figure, as it learns from the text while it codes it; and no compressor looks back for ever: bzip2
sorts blocks of 900 kB, xz -9 has a window of 64 MiB, PPMd forgets when its memory is full.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.progress import Progress
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 1 << 20
"""Characters that are encoded at a time."""
PPMD_MEMORY = 1 << 28
PPMD_ORDER = 6
MAX_READ = 1 << 28
"""The most characters of the training part, its end, that a compressor reads: more than any of them looks back."""


class Stream(Protocol):
    """What compresses bytes piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Take some bytes, and give what is ready of the code."""

    def flush(self) -> bytes:
        """The rest of the code."""


@dataclass(frozen=True)
class Compressor:
    """One way to compress.

    Attributes:
        name: with its setting.
        sees: how far it looks back.
        make: a new stream; ImportError where the package for it is missing.
    """

    name: str
    sees: str
    make: Callable[[], Stream]

    @property
    def is_installed(self) -> bool:
        """Whether what it needs is installed."""
        try:
            self.make()
        except ImportError:
            return False
        return True


def ppmd(order: int = PPMD_ORDER) -> Compressor:
    """PPMd, variant I (Shkarin 2002), which predicts from up to `order` characters."""

    def make() -> Stream:
        made: Stream = import_module("pyppmd").PpmdCompressor(max_order=order, mem_size=PPMD_MEMORY)
        return made

    return Compressor(f"PPMd order {order}", f"{PPMD_MEMORY >> 20} MiB of memory", make)


BZ2 = Compressor("bz2 -9", "blocks of 900 kB", lambda: bz2.BZ2Compressor(9))
XZ = Compressor("xz -9", "a window of 64 MiB", lambda: lzma.LZMACompressor(preset=9))
COMPRESSORS = (ppmd(), BZ2, XZ)
INSTALL_PPMD = "pip install pyppmd"
"""The command that installs PPMd."""


def bits_after(
    compressor: Compressor,
    first: NDArray[Any],
    then: NDArray[Any],
    vocabulary: Vocabulary,
    progress: Progress | None = None,
) -> int:
    """How many bits a compressor needs for a text after another one.

    Args:
        compressor: a way to compress.
        first: (M,) the ids that it has read, of which the last MAX_READ count; they may be memory-mapped.
        then: (N,) the ids that are measured.
        vocabulary: of both. Characters are compressed as UTF-8, bytes as they are.
        progress: progress callback, in characters, both times counted.

    Raises:
        ImportError: the package for it is missing.
    """
    first = first[-MAX_READ:] if len(first) else first
    total, done = 2 * len(first) + len(then), 0
    sizes = []
    for parts in ((first,), (first, then)):
        stream, size = compressor.make(), 0
        for data, characters in (piece for part in parts for piece in _encoded(part, vocabulary)):
            size += len(stream.compress(data))
            done += characters
            if progress:
                progress(done, total)
        sizes.append(size + len(stream.flush()))
    return 8 * (sizes[1] - sizes[0])


def _encoded(ids: NDArray[Any], vocabulary: Vocabulary) -> Iterator[tuple[bytes, int]]:
    """A text in pieces of bytes, and how many characters each has."""
    for begin in range(0, len(ids), CHUNK_CHARS):
        piece = ids[begin : begin + CHUNK_CHARS]
        text = piece.astype(np.uint8).tobytes() if vocabulary.is_bytes else vocabulary.decode(piece.tolist()).encode()
        yield text, len(piece)
