"""Contiguous streams of text for truncated BPTT: row n of a batch goes on where row n of the batch before ended.

The text is a ring. Stream i starts at character i · N // B of N and reads on for ever; where it reaches the start of
stream i+1 it just goes on, and after the last character comes the first. So no character is left out, the state that is
carried along a row always belongs to the text before it, and batch number s is a function of s alone.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import TextError
from charrnn.text.documents import TextSpan

IGNORE_INDEX = -100
"""The target of a place without one, as in PyTorch's cross entropy."""
MAX_BATCH_FACTOR = 4
"""How many times as many streams as asked there may be where documents are short."""
PADDING_SAMPLES = 50
"""The number of batches that the share of padding is measured on."""


class Streams:
    """B streams over one text.

    Args:
        ids: (N,) the text; it may be memory-mapped, and only what a batch needs is read.
        batch_size: B, shrunk where the text is too short to give each stream `seq_length` characters of its own.
        seq_length: T, shrunk to the text.

    Raises:
        TextError: there are fewer than two characters.
    """

    def __init__(self, ids: NDArray[Any], batch_size: int, seq_length: int) -> None:
        if len(ids) < 2:
            raise TextError(f"{len(ids)} characters are too few to train on; at least 2 are needed")
        self.ids = ids
        self.seq_length = min(seq_length, len(ids) - 1)
        self.batch_size = min(batch_size, len(ids) // self.seq_length)
        self.starts = np.arange(self.batch_size) * len(ids) // self.batch_size

    @property
    def steps_per_epoch(self) -> float:
        """How many batches hold as many characters as the text."""
        return len(self.ids) / (self.batch_size * self.seq_length)

    @property
    def padding(self) -> float:
        """The share of places in a batch that no character is in."""
        return 0.0

    def __str__(self) -> str:
        return f"{self.batch_size} streams of {self.seq_length} characters a step"

    def slice(self, rows: slice) -> Streams:
        """Some of the streams, with the rows that they have among all."""
        part = copy.copy(self)
        part.starts = self.starts[rows]
        part.batch_size = len(part.starts)
        return part

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch number `step`, counted from 0.

        Returns:
            inputs, targets: (B, T) int64; the targets are the inputs, one character later.
        """
        offsets = step * self.seq_length + np.arange(self.seq_length + 1)
        window = self.ids[(self.starts[:, None] + offsets) % len(self.ids)].astype(np.int64)
        rows = torch.from_numpy(window)
        return rows[:, :-1], rows[:, 1:]

    def begins(self, step: int) -> Tensor | None:
        """(B,) bool: the rows of a batch that begin with a fresh state; None if no row does."""
        return None

    def characters(self, step: int) -> int:
        """How many characters of a batch are predicted."""
        return self.batch_size * self.seq_length


class DocumentStreams(Streams):
    """Streams over the windows of documents: no window holds characters of two.

    A document of L characters is ⌈L / T⌉ windows, the last one perhaps shorter. All windows, in their order, are a
    ring, which is cut into B runs. A batch is as long as its longest window; where others have no characters any more,
    inputs are arbitrary, and targets are IGNORE_INDEX.

    Args:
        text: (N,) a text of documents.
        batch_size: B, raised where windows are short, so that a step has about as many characters as in a text without
            documents; shrunk where there are fewer windows.
        seq_length: T, shrunk to the longest document.
        is_fixed: whether all batches are as long as the longest window, as CUDA graphs need it.

    Raises:
        TextError: the text is empty.
    """

    def __init__(self, text: TextSpan, batch_size: int, seq_length: int, is_fixed: bool = False) -> None:
        if len(text) < 1:
            raise TextError("0 characters are too few to train on")
        assert text.documents
        starts, ids = text.starts, text.ids
        lengths = np.diff(starts, append=len(ids))
        self.ids, self.start_id, self.is_fixed = ids, text.documents.start, is_fixed
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
            inputs, targets: (B, T') int64; the targets are the inputs, one character later, and then IGNORE_INDEX.
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


def streams_of(text: TextSpan, batch_size: int, seq_length: int, is_fixed: bool = False) -> Streams:
    """Streams over a text, with documents or without; see there."""
    if text.documents is None:
        return Streams(text.ids, batch_size, seq_length)
    return DocumentStreams(text, batch_size, seq_length, is_fixed)
