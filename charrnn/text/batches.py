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

IGNORE_INDEX = -100
"""The target of a place without one, as in PyTorch's cross entropy."""


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
