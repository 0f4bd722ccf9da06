"""Batches for truncated BPTT: row n of a batch continues the text of row n of the previous batch.

The text is treated as a ring. With B streams and N characters, stream i starts at character i · N // B and does
not stop where stream i+1 starts; the first character follows the last one. No character is ever skipped, the state
carried along a row always belongs to the preceding text, and the contents of batch s depend on s alone.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import TextError
from charrnn.formatting import plural
from charrnn.text.documents import TextSpan

IGNORE_INDEX = -100
"""The target at positions that have no target, as in PyTorch's cross entropy."""
MAX_BATCH_FACTOR = 4
"""The largest factor by which the number of streams is raised when documents are short."""
PADDING_SAMPLES = 50
"""The number of batches sampled to estimate the fraction of padding."""


class Streams:
    """B streams over one text.

    Args:
        ids: (N,) the text. It may be memory-mapped; each batch reads only the characters it needs.
        batch_size: B, reduced if the text is too short to give each stream `seq_length` characters of its own.
        seq_length: T, reduced to N - 1 for shorter texts.

    Raises:
        TextError: the text has fewer than two characters.
    """

    def __init__(self, ids: NDArray[Any], batch_size: int, seq_length: int) -> None:
        if len(ids) < 2:
            raise TextError(f"too few characters to train on: found {len(ids)}, need at least 2; use a longer text")
        self.ids = ids
        self.seq_length = min(seq_length, len(ids) - 1)
        self.batch_size = min(batch_size, len(ids) // self.seq_length)
        self.starts = np.arange(self.batch_size) * len(ids) // self.batch_size

    @property
    def steps_per_epoch(self) -> float:
        """The number of batches that hold as many characters as the text."""
        return len(self.ids) / (self.batch_size * self.seq_length)

    @property
    def padding(self) -> float:
        """The fraction of positions in a batch that are padding."""
        return 0.0

    def __str__(self) -> str:
        return f"{plural(self.batch_size, 'stream')} x {self.seq_length} characters per step"

    def slice(self, rows: slice) -> Streams:
        """Return a copy that contains only the given rows of each batch."""
        part = copy.copy(self)
        part.starts = self.starts[rows]
        part.batch_size = len(part.starts)
        return part

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return batch number `step`, counted from 0.

        Returns:
            inputs, targets: (B, T) int64; the targets are the inputs shifted by one character.
        """
        offsets = step * self.seq_length + np.arange(self.seq_length + 1)
        window = self.ids[(self.starts[:, None] + offsets) % len(self.ids)].astype(np.int64)
        rows = torch.from_numpy(window)
        return rows[:, :-1], rows[:, 1:]

    def begins(self, step: int) -> Tensor | None:
        """Return (B,) bool: the rows whose state is reset before this batch; None if there are none."""
        return None

    def characters(self, step: int) -> int:
        """Return the number of characters of a batch that are predicted."""
        return self.batch_size * self.seq_length


class DocumentStreams(Streams):
    """B streams over the documents of a text; no row of a batch holds characters of two documents.

    A document of L characters is cut into ⌈L / T⌉ windows; the last one may be shorter. All windows, in order, form a
    ring, which is divided into B runs. A batch is as wide as its longest window; in shorter rows, the remaining inputs
    are arbitrary and the remaining targets are IGNORE_INDEX.

    Args:
        text: (N,) a text with documents.
        batch_size: B, raised when windows are short, so that a step has about as many characters as in a text without
            documents; reduced when there are fewer windows than B.
        seq_length: T, reduced to the length of the longest document.
        is_fixed: whether all batches are as wide as the longest window, as CUDA graphs require.

    Attributes:
        longest: the length of the longest document, in characters.
        share_cut: the share of documents that are longer than T, from 0 to 1.

    Raises:
        TextError: the text is empty.
    """

    def __init__(self, text: TextSpan, batch_size: int, seq_length: int, is_fixed: bool = False) -> None:
        if len(text) < 1:
            raise TextError("too few characters to train on: found 0, need at least 1; use a longer text")
        assert text.documents
        starts, ids = text.starts, text.ids
        lengths = np.diff(starts, append=len(ids))
        self.ids, self.start_id, self.is_fixed = ids, text.documents.start, is_fixed
        self.documents = len(starts)
        self.seq_length = int(min(seq_length, lengths.max()))
        windows = -(-lengths // self.seq_length)
        self.longest, self.share_cut = int(lengths.max()), float((windows > 1).mean())
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
        """The number of batches that hold as many windows as the text."""
        return len(self.is_first) / self.batch_size

    @property
    def cuts_in_two(self) -> bool:
        """Whether most documents are a little longer than a window, so that a longer one would hold them whole."""
        return self.share_cut > 0.5 and self.longest <= 2 * self.seq_length

    @property
    def padding(self) -> float:
        steps = np.linspace(0, self.steps_per_epoch, PADDING_SAMPLES, endpoint=False).astype(np.int64)
        batches = [self._lengths(self._windows(int(step))) for step in steps]
        places = sum(len(lengths) * self._width(lengths) for lengths in batches)
        return 1 - sum(int(lengths.sum()) for lengths in batches) / places

    def __str__(self) -> str:
        return (
            f"{plural(self.batch_size, 'stream')} x up to {self.seq_length} characters per step; "
            f"the state is reset at each of {self.documents:,} documents; {100 * self.padding:.0f}% padding"
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return batch number `step`, counted from 0.

        Returns:
            inputs, targets: (B, T') int64; the targets are the inputs shifted by one character, then IGNORE_INDEX.
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
        """Return (B,) bool: the rows that start a document in this batch."""
        return torch.from_numpy(self.is_first[self._windows(step)])

    def characters(self, step: int) -> int:
        """Return the number of characters of a batch that are predicted."""
        return int(self._lengths(self._windows(step)).sum())

    def _windows(self, step: int) -> NDArray[np.int64]:
        windows: NDArray[np.int64] = (self.starts + step) % len(self.is_first)
        return windows

    def _lengths(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths: NDArray[np.int64] = self.edges[windows + 1] - self.edges[windows]
        return lengths

    def _width(self, lengths: NDArray[np.int64]) -> int:
        return self.seq_length if self.is_fixed else int(lengths.max())


def streams_of(text: TextSpan, batch_size: int, seq_length: int, is_fixed: bool = False) -> Streams:
    """Return the streams of a text: `DocumentStreams` if the text has documents, otherwise `Streams`."""
    if text.documents is None:
        return Streams(text.ids, batch_size, seq_length)
    return DocumentStreams(text, batch_size, seq_length, is_fixed)
