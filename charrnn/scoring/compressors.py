"""General-purpose compressors as adaptive models: the cost of a text after the training part.

The cost is size(training part + text) − size(training part). That is an online score, because a compressor learns from
the text while it codes the text. Their memory is limited: bzip2 sorts blocks of 900 kB, xz -9 has a window of 64 MiB,
and PPMd starts over when its memory is full.
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
"""Number of characters encoded at a time."""
PPMD_MEMORY = 1 << 28
PPMD_ORDER = 6
MAX_READ = 1 << 28
"""Maximum number of characters read from the end of the training part, more than any compressor's memory."""


class Stream(Protocol):
    """An incremental compressor, such as `bz2.BZ2Compressor`."""

    def compress(self, data: bytes, /) -> bytes:
        """Compress some bytes, and return the output that is ready."""

    def flush(self) -> bytes:
        """Return the rest of the output."""


@dataclass(frozen=True)
class Compressor:
    """A compressor with its settings.

    Attributes:
        name: name with its setting.
        memory: how far back it can refer, in words.
        make: returns a new stream; raises ImportError if a package is missing.
    """

    name: str
    memory: str
    make: Callable[[], Stream]

    @property
    def is_installed(self) -> bool:
        """Whether the package that the compressor needs is installed."""
        try:
            self.make()
        except ImportError:
            return False
        return True


def ppmd(order: int = PPMD_ORDER) -> Compressor:
    """Return PPMd, variant I (Shkarin 2002), which predicts from up to `order` characters."""

    def make() -> Stream:
        stream: Stream = import_module("pyppmd").PpmdCompressor(max_order=order, mem_size=PPMD_MEMORY)
        return stream

    return Compressor(f"PPMd order {order}", f"{PPMD_MEMORY >> 20} MiB of memory", make)


BZ2 = Compressor("bz2 -9", "900 kB blocks", lambda: bz2.BZ2Compressor(9))
XZ = Compressor("xz -9", "64 MiB window", lambda: lzma.LZMACompressor(preset=9))
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
    """Return the bits that a compressor needs for a text after another text.

    Args:
        compressor: the compressor.
        first: (M,) ids read before, possibly memory-mapped; only the last MAX_READ are used.
        then: (N,) ids of the text to measure.
        vocabulary: of both. Characters are compressed as UTF-8, bytes as they are.
        progress: progress callback, in characters; `first` is read twice.

    Raises:
        ImportError: the compressor's package is missing.
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
    """Yield a text as chunks of bytes, each with its number of characters."""
    for begin in range(0, len(ids), CHUNK_CHARS):
        piece = ids[begin : begin + CHUNK_CHARS]
        text = piece.astype(np.uint8).tobytes() if vocabulary.is_bytes else vocabulary.decode(piece.tolist()).encode()
        yield text, len(piece)
