"""Counter-based random numbers: number n of seed s is always the same.

Each number is computed from a counter, without any state (Philox: Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3"). Each text of a batch therefore has its own sequence, and its position in it is one integer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK_SIZE = 256
"""The number of random numbers computed at a time."""
NUMBERS_PER_COUNT = 4
"""The number of random numbers that Philox computes per counter value."""


class CounterRNG:
    """Random numbers, uniform on [0, 1), for B texts.

    Args:
        seeds: the seed of each text, 0 or more.
        positions: the number of random numbers already consumed by each text; 0 by default.
    """

    def __init__(self, seeds: Sequence[int], positions: Sequence[int] | None = None) -> None:
        self.seeds = list(seeds)
        self.positions = [0] * len(seeds) if positions is None else list(positions)
        self._blocks: list[tuple[int, list[float]]] = [(-1, [])] * len(seeds)

    def next(self, row: int) -> float:
        """Return and consume the next number of a text."""
        position = self.positions[row]
        at, numbers = self._blocks[row]
        if at != position // BLOCK_SIZE:
            block = position // BLOCK_SIZE
            at, numbers = self._blocks[row] = block, _block(self.seeds[row], block).tolist()
        self.positions[row] = position + 1
        return numbers[position % BLOCK_SIZE]

    def next_all(self) -> NDArray[np.float64]:
        """Return and consume the next number of each text, (B,)."""
        return np.array([self.next(row) for row in range(len(self.seeds))])

    def peek(self, count: int) -> NDArray[np.float64]:
        """Return the next numbers of each text, (B, count), without consuming them."""
        peeked = np.empty((len(self.seeds), count))
        for row, (seed, position) in enumerate(zip(self.seeds, self.positions, strict=True)):
            first, last = position // BLOCK_SIZE, (position + count - 1) // BLOCK_SIZE
            numbers = np.concatenate([_block(seed, block) for block in range(first, last + 1)])
            peeked[row] = numbers[position - first * BLOCK_SIZE :][:count]
        return peeked


def _block(seed: int, number: int) -> NDArray[np.float64]:
    counter = [number * (BLOCK_SIZE // NUMBERS_PER_COUNT), 0, 0, 0]
    return np.random.Generator(np.random.Philox(key=seed, counter=counter)).random(BLOCK_SIZE)
