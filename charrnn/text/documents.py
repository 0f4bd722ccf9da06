"""A text as documents, each of which is read with a fresh state: where they begin, spans and batches of them.

A document ends with the separator; the last one may end without. Its first character is predicted too: from the
character that starts a text, as when a text is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text.batches import IGNORE_INDEX, Streams
from charrnn.text.normalize import separator_of
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 1 << 22
"""The characters that are searched for separators at a time."""
MAX_BATCH_FACTOR = 4
"""How many times as many streams as asked there may be where documents are short."""
PADDING_SAMPLES = 50
"""The number of batches that the share of padding is measured on."""


@dataclass(frozen=True)
class Documents:
    """How documents are separated.

    Attributes:
        separator: the ids that each ends with, one at least.
        start: the id that is read before the first character of each.
    """

    separator: tuple[int, ...]
    start: int

    @classmethod
    def of(cls, config: CorpusConfig, vocabulary: Vocabulary) -> Documents | None:
        """The separation that a configuration asks for; None where a text is not read as documents.

        A separator with a character that the vocabulary lacks ends nothing: the text is one document.
        """
        separator = separator_of(config)
        if not separator:
            return None
        known = vocabulary.is_bytes or set(separator) <= set(vocabulary.characters or ())
        ids = vocabulary.encode(separator).tolist() if known else [-1]
        return cls(tuple(ids), vocabulary.start)

    def starts(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Where the documents of a text begin.

        Separators are found from the left, and do not overlap, as `str.split` finds them.

        Args:
            ids: (N,) the text, N ≥ 1; it may be memory-mapped.

        Returns:
            (D,) rising from 0.
        """
        length = len(self.separator)
        places = [
            begin + _places(ids[begin : begin + CHUNK_CHARS + length - 1], self.separator)
            for begin in range(0, len(ids), CHUNK_CHARS)
        ]
        ends = _apart(np.concatenate(places), length) + length
        return np.concatenate((np.zeros(1, np.int64), ends[ends < len(ids)]))


@dataclass(frozen=True, eq=False)
class TextSpan:
    """A stretch of an encoded text.

    Slices are spans of the same kind. Where a text is documents, each span begins a document, even if it is cut out of
    the middle of one.

    Attributes:
        ids: (N,) the characters; it may be memory-mapped, and a slice copies nothing.
        documents: how documents are separated, if a model reads each with a fresh state; None where the text is one.
    """

    ids: NDArray[Any]
    documents: Documents | None = None

    @classmethod
    def of(cls, text: TextSpan | NDArray[Any] | Sequence[int]) -> TextSpan:
        """A span as it is; ids as a span without documents."""
        return text if isinstance(text, TextSpan) else cls(np.asarray(text))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> TextSpan:
        """A stretch of the span.

        Raises:
            ValueError: the slice leaves characters out, or turns them round.
        """
        if part.step not in (None, 1):
            raise ValueError(f"a span has a step of 1, found {part.step}")
        return TextSpan(self.ids[part], self.documents)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(D,) where documents begin, rising from 0; the beginning alone where the text is one."""
        return self.documents.starts(self.ids) if self.documents else np.zeros(1, np.int64)


class DocumentStreams(Streams):
    """Streams over the windows of documents: no window holds characters of two.

    A document of L characters is ⌈L / T⌉ windows, the last one perhaps shorter. All windows, in their order, are a
    ring, which is cut into B runs. A batch is as long as its longest window; where others have no characters any more,
    inputs are arbitrary, and targets are IGNORED.

    Args:
        ids: (N,) the text.
        documents: how they are separated.
        batch_size: B, raised where windows are short, so that a step has about as many characters as in a text without
            documents; shrunk where there are fewer windows.
        seq_length: T, shrunk to the longest document.
        is_fixed: whether all batches are as long as the longest window, as CUDA graphs need it.

    Raises:
        TextError: the text is empty.
    """

    def __init__(
        self, ids: NDArray[Any], documents: Documents, batch_size: int, seq_length: int, is_fixed: bool = False
    ) -> None:
        if len(ids) < 1:
            raise TextError("0 characters are too few to train on")
        starts = documents.starts(ids)
        lengths = np.diff(starts, append=len(ids))
        self.ids, self.start_id, self.is_fixed = ids, documents.start, is_fixed
        self.documents = len(starts)
        self.seq_length = int(min(seq_length, lengths.max()))
        windows = -(-lengths // self.seq_length)
        first = np.cumsum(windows) - windows
        total = int(windows.sum())
        self.is_first = np.zeros(total, bool)
        self.is_first[first] = True
        within = np.arange(total) - np.repeat(first, windows)
        self.edges = np.append(np.repeat(starts, windows) + within * self.seq_length, len(ids))
        raised = round(batch_size * min(MAX_BATCH_FACTOR, self.seq_length * total / len(ids)))
        self.batch_size = min(raised, total)
        self.starts = np.arange(self.batch_size) * total // self.batch_size

    @property
    def steps_per_epoch(self) -> float:
        """How many batches hold as many windows as the text."""
        return len(self.is_first) / self.batch_size

    @property
    def padding(self) -> float:
        """See Streams."""
        steps = np.linspace(0, self.steps_per_epoch, PADDING_SAMPLES, endpoint=False).astype(np.int64)
        batches = [self._lengths(self._windows(int(step))) for step in steps]
        places = sum(len(lengths) * self._width(lengths) for lengths in batches)
        return 1 - sum(int(lengths.sum()) for lengths in batches) / places

    def __str__(self) -> str:
        return (
            f"{self.batch_size} streams of up to {self.seq_length} characters a step, anew at each of "
            f"{self.documents:,} documents; {100 * self.padding:.0f}% of a step is empty"
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch number `step`, counted from 0.

        Returns:
            inputs, targets: (B, T') int64; the targets are the inputs, one character later, and then IGNORED.
        """
        windows = self._windows(step)
        begins, lengths = self.edges[windows], self._lengths(windows)
        places = begins[:, None] + np.arange(-1, self._width(lengths))
        rows = self.ids[places.clip(0, len(self.ids) - 1)].astype(np.int64)
        rows[self.is_first[windows], 0] = self.start_id
        inputs, targets = torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:].copy())
        targets[torch.from_numpy(places[:, 1:] >= (begins + lengths)[:, None])] = IGNORE_INDEX
        return inputs, targets

    def begins(self, step: int) -> Tensor:
        """(B,) bool: in which rows of a batch a document begins."""
        return torch.from_numpy(self.is_first[self._windows(step)])

    def characters(self, step: int) -> int:
        """How many characters of a batch are predicted."""
        return int(self._lengths(self._windows(step)).sum())

    def _windows(self, step: int) -> NDArray[np.int64]:
        windows: NDArray[np.int64] = (self.starts + step) % len(self.is_first)
        return windows

    def _lengths(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths: NDArray[np.int64] = self.edges[windows + 1] - self.edges[windows]
        return lengths

    def _width(self, lengths: NDArray[np.int64]) -> int:
        return self.seq_length if self.is_fixed else int(lengths.max())


def streams_of(
    ids: NDArray[Any], documents: Documents | None, batch_size: int, seq_length: int, is_fixed: bool = False
) -> Streams:
    """Streams over a text, with documents or without; see there."""
    if documents is None:
        return Streams(ids, batch_size, seq_length)
    return DocumentStreams(ids, documents, batch_size, seq_length, is_fixed)


def _places(piece: NDArray[Any], separator: tuple[int, ...]) -> NDArray[np.int64]:
    """The places of the separator in a piece."""
    count = len(piece) - len(separator) + 1
    if count < 1 or separator[0] < 0:
        return np.zeros(0, np.int64)
    places = np.flatnonzero(piece[:count] == separator[0])
    for offset, token in enumerate(separator[1:], 1):
        places = places[piece[places + offset] == token]
    return places.astype(np.int64)


def _apart(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Rising places without those that overlap the last one kept."""
    if len(places) < 2 or np.diff(places).min() >= length:
        return places
    kept, end = [], -1
    for place in places.tolist():
        if place >= end:
            kept.append(place)
            end = place + length
    return np.array(kept, np.int64)
