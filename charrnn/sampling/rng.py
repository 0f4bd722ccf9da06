"""The random numbers of texts: number n of seed s is the same wherever, and however often, it is asked for.

They are counted, not remembered (Philox: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). So each
text of a batch has numbers of its own, and where a text stands in them is one integer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 256
"""Random numbers made at a time."""
PER_COUNT = 4
"""Random numbers that Philox makes of one count."""


class CounterRNG:
    """Random numbers from 0 to 1, 1 excluded, for B texts.

    Args:
        seeds: of each text, 0 or more.
        positions: how many numbers each has taken; none, if not given.
    """

    def __init__(self, seeds: Sequence[int], positions: Sequence[int] | None = None) -> None:
        self.seeds = list(seeds)
        self.positions = [0] * len(seeds) if positions is None else list(positions)
        self._blocks: list[tuple[int, list[float]]] = [(-1, [])] * len(seeds)

    def next(self, row: int) -> float:
        """The next number of a text."""
        position = self.positions[row]
        at, numbers = self._blocks[row]
        if at != position // BLOCK:
            at, numbers = self._blocks[row] = position // BLOCK, _block(self.seeds[row], position // BLOCK).tolist()
        self.positions[row] = position + 1
        return numbers[position % BLOCK]

    def next_all(self) -> NDArray[np.float64]:
        """(B,): the next number of each text."""
        return np.array([self.next(row) for row in range(len(self.seeds))])

    def peek(self, count: int) -> NDArray[np.float64]:
        """(B, count): the numbers that come next, which are not taken by it."""
        peeked = np.empty((len(self.seeds), count))
        for row, (seed, position) in enumerate(zip(self.seeds, self.positions, strict=True)):
            first, last = position // BLOCK, (position + count - 1) // BLOCK
            numbers = np.concatenate([_block(seed, block) for block in range(first, last + 1)])
            peeked[row] = numbers[position - first * BLOCK :][:count]
        return peeked


def _block(seed: int, number: int) -> NDArray[np.float64]:
    counter = [number * (BLOCK // PER_COUNT), 0, 0, 0]
    return np.random.Generator(np.random.Philox(key=seed, counter=counter)).random(BLOCK)
