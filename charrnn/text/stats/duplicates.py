"""What a text repeats, found while it is read in pieces, in memory that does not grow with it.

Of each run of 50 characters, and each line, a hash is kept: a sum of the characters' numbers times powers of an odd
number, modulo 2^64 (Karp and Rabin 1987), so that the hash of any run is a difference of two sums. Where there are too
many, those with the smallest hashes are kept: what is equal has equal hashes, so all of its places are kept, or none,
and shares among what is kept estimate those in the text (Broder 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = 50
"""The characters of a run. Prose repeats so many in a row only where it quotes, or was copied."""
LONG_LINE = 20
"""The length of a line from which repeats count: shorter ones, such as names of speakers, are expected to repeat."""
CAPACITY = 5 << 18
"""The number of different runs, and of lines, that are kept: 42 MB; more than there are in Tiny Shakespeare."""
BLOCK = 1 << 16
"""The characters that are handled at a time: their sums stay in the processor's cache."""
MULTIPLIER = 0x9E3779B97F4A7C15
"""Odd: 2^64 divided by the golden ratio."""
WHOLE = 1 << 64
NEWLINE = 10

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Repeats:
    """How much of a text is repeated. Shares are from 0 to 1, None where there is nothing to share.

    Attributes:
        runs: the share of the runs of RUN characters, one from each place on, that occur elsewhere in the text too.
        lines: the share of the lines of more than LONG_LINE characters that do.
        held_out_runs: the share of the different runs of the held-out part that occur in the training part too.
        held_out_lines: the same of lines.
        sampled: the share of the runs, as they differ, that these were estimated from; 1 if from all.
    """

    runs: float | None
    lines: float | None
    held_out_runs: float | None
    held_out_lines: float | None
    sampled: float


class RepeatCounter:
    """Finds what a text repeats, piece by piece; keeps so many different runs, and lines."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.runs, self.lines = HashSketch(capacity), HashSketch(capacity)
        self._powers = powers_of(MULTIPLIER, BLOCK + RUN)
        self._inverses = powers_of(pow(MULTIPLIER, -1, WHOLE), BLOCK + RUN)
        self._carried = np.zeros(0, np.uint32)  # what runs of the next block begin with
        self._done = 0  # characters that were read
        self._line = (0, 0)  # of the line that is not finished: its hash so far, and its length

    def feed(self, piece: NDArray[Any]) -> None:
        """Count a piece: (N,) code points or bytes."""
        for begin in range(0, len(piece), BLOCK):
            self._feed(piece[begin : begin + BLOCK].astype(np.uint32))

    def _feed(self, block: NDArray[np.uint32]) -> None:
        text = np.concatenate((self._carried, block))
        begin, known = self._done - len(self._carried), len(self._carried)
        sums = np.zeros(len(text) + 1, np.uint64)
        np.cumsum(mix(text.astype(np.uint64)) * self._powers[: len(text)], out=sums[1:])
        runs = len(text) + 1 - RUN
        if runs > 0:
            hashes = mix((sums[RUN:] - sums[:runs]) * self._inverses[:runs])
            self.runs.add(hashes, np.arange(begin, begin + runs))
        self._feed_lines(text, sums, known, begin)
        self._carried = text[max(0, len(text) + 1 - RUN) :]
        self._done += len(block)

    def _feed_lines(self, text: NDArray[np.uint32], sums: Hashes, known: int, begin: int) -> None:
        ends = known + np.flatnonzero(text[known:] == NEWLINE)
        begins = np.append(known, ends + 1)
        finished = np.append(ends, len(text))  # and the one that is not
        hashes = (sums[finished] - sums[begins]) * self._inverses[begins]
        lengths = finished - begins
        before, length = self._line
        hashes[0] = np.uint64((before + pow(MULTIPLIER, length, WHOLE) * int(hashes[0])) % WHOLE)
        lengths[0] += length
        places = begin + begins
        places[0] -= length
        self._line = int(hashes[-1]), int(lengths[-1])
        long = lengths[:-1] > LONG_LINE
        self.lines.add(mix(hashes[:-1][long]), places[:-1][long])

    def finish(self, train: int) -> Repeats:
        """The shares, at the end of a text of which the first `train` characters are the training part."""
        last, length = self._line
        if length > LONG_LINE:
            self.lines.add(mix(np.array([last], np.uint64)), np.array([self._done - length]))
            self._line = 0, 0
        runs, lines = self.runs.shares(train), self.lines.shares(train)
        return Repeats(runs[0], lines[0], runs[1], lines[1], (self.runs.limit + 1) / WHOLE)


class HashSketch:
    """Hashes, how often each was met, and where first and last; the smallest, where there are too many (bottom-k)."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.limit = capacity, WHOLE - 1
        self._kept = (np.zeros(0, np.uint64), *(np.zeros(0, np.int64) for _ in range(3)))
        self._new: list[tuple[Hashes, NDArray[np.int64]]] = []
        self._waiting = 0

    def add(self, hashes: Hashes, places: NDArray[np.int64]) -> None:
        """Take in hashes that were met at places, which come in the order of the text."""
        if self.limit < WHOLE - 1:
            wanted = hashes <= np.uint64(self.limit)
            hashes, places = hashes[wanted], places[wanted]
        self._new.append((hashes, places))
        self._waiting += len(hashes)
        if self._waiting > self.capacity // 2:
            self._merge()

    def _merge(self) -> None:
        old, counts, firsts, lasts = self._kept
        hashes = np.concatenate((old, *(hashes for hashes, _ in self._new)))
        if not len(hashes):
            return
        places = [places for _, places in self._new]
        firsts, lasts = np.concatenate((firsts, *places)), np.concatenate((lasts, *places))
        counts = np.append(counts, np.ones(self._waiting, np.int64))
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
        ends = np.append(starts[1:], len(hashes)) - 1
        kept = hashes[starts]
        added = np.add.reduceat(counts[order], starts)
        while np.count_nonzero(kept <= np.uint64(self.limit)) > self.capacity:
            self.limit >>= 1
        wanted = kept <= np.uint64(self.limit)
        # Stable, so earlier places stay in front.
        self._kept = (
            kept[wanted], added[wanted], firsts[order[starts]][wanted], lasts[order[ends]][wanted],
        )  # fmt: skip
        self._new, self._waiting = [], 0

    def shares(self, train: int) -> tuple[float | None, float | None]:
        """Of all that was met, what was met elsewhere too; of the different ones from `train` on, those before it."""
        self._merge()
        _, counts, firsts, lasts = self._kept
        held_out = lasts >= train
        all_met, in_both = int(counts.sum()), np.count_nonzero(held_out & (firsts < train))
        return (
            int(counts[counts > 1].sum()) / all_met if all_met else None,
            int(in_both) / int(held_out.sum()) if held_out.any() else None,
        )


def powers_of(base: int, number: int) -> Hashes:
    """Powers of a number from 0 on, modulo 2^64."""
    powers = np.full(number, np.uint64(base % WHOLE))
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def mix(numbers: Hashes) -> Hashes:
    """Numbers that look random, equal ones for equal ones (the finalizer of SplitMix64, Steele et al. 2014)."""
    mixed = numbers + np.uint64(MULTIPLIER)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
