"""Duplicates in a text that is read in pieces, in bounded memory.

Each sequence (run) of 50 characters, and each line, is hashed by a sum of code points times powers of an odd number,
modulo 2^64 (Karp and Rabin 1987), so the hash of any run is a difference of two prefix sums. If there are too many
hashes, the smallest are kept (bottom-k): equal runs have equal hashes, so either all or none of their occurrences are
kept, and the shares among the kept hashes estimate the shares in the text (Broder 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = 50
"""The length of a run, in characters. Prose repeats runs of this length only in quotations and copies."""
LONG_LINE = 20
"""The length above which a repeated line counts, in characters: short lines, such as names of speakers, do repeat."""
CAPACITY = 5 << 18
"""The maximum number of distinct runs, and of lines, that are kept (42 MB); Tiny Shakespeare has fewer."""
BLOCK = 1 << 16
"""The number of characters processed at a time, so that their sums stay in the processor's cache."""
MULTIPLIER = 0x9E3779B97F4A7C15
"""An odd number: 2^64 divided by the golden ratio."""
WHOLE = 1 << 64
"""The modulus of hashes."""
NEWLINE = 10
"""The code point of a line end."""

Hashes = NDArray[np.uint64]
"""Hashes, (N,)."""


@dataclass(frozen=True)
class Repeats:
    """How much of a text is repeated. Shares are from 0 to 1, or None if there are no runs or lines.

    Attributes:
        runs: the share of the runs of RUN characters, one starting at each character, that occur more than once.
        lines: the share of the lines of more than LONG_LINE characters that occur more than once.
        held_out_runs: the share of the distinct runs of the held-out part that also occur in the training part.
        held_out_lines: the share of the distinct lines of the held-out part that also occur in the training part.
        sampled: the share of the distinct runs that the figures are estimated from; 1 if they are exact.
    """

    runs: float | None
    lines: float | None
    held_out_runs: float | None
    held_out_lines: float | None
    sampled: float

    @property
    def by_name(self) -> dict[str, float | None]:
        """`runs` and `lines` by their names in a sentence."""
        return {f"{RUN}-character sequences": self.runs, f"lines of more than {LONG_LINE} characters": self.lines}

    @property
    def held_out_by_name(self) -> dict[str, float | None]:
        """`held_out_runs` and `held_out_lines` by their names in a sentence."""
        runs, lines = f"distinct held-out {RUN}-character sequences", "distinct held-out lines"
        return {runs: self.held_out_runs, lines: self.held_out_lines}


class RepeatCounter:
    """A counter of duplicates in a text, which is read in pieces.

    Args:
        capacity: the maximum number of distinct runs, and of lines, that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.runs, self.lines = HashSketch(capacity), HashSketch(capacity)
        self._powers = powers_of(MULTIPLIER, BLOCK + RUN)
        self._inverses = powers_of(pow(MULTIPLIER, -1, WHOLE), BLOCK + RUN)
        self._carried = np.zeros(0, np.uint32)  # the end of the last block, where runs into the next block begin
        self._done = 0  # number of characters read
        self._line = (0, 0)  # the hash and the length of the unfinished line

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
        finished = np.append(ends, len(text))  # the last one is the unfinished line
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
        """Return the shares, for a text whose first `train` characters are the training part."""
        last, length = self._line
        if length > LONG_LINE:
            self.lines.add(mix(np.array([last], np.uint64)), np.array([self._done - length]))
            self._line = 0, 0
        runs, lines = self.runs.shares(train), self.lines.shares(train)
        return Repeats(runs[0], lines[0], runs[1], lines[1], (self.runs.limit + 1) / WHOLE)


class HashSketch:
    """A bottom-k sketch: the smallest hashes, each with its count and its first and last position.

    Args:
        capacity: the maximum number of hashes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.limit = capacity, WHOLE - 1
        self._kept = (np.zeros(0, np.uint64), *(np.zeros(0, np.int64) for _ in range(3)))
        self._new: list[tuple[Hashes, NDArray[np.int64]]] = []
        self._waiting = 0

    def add(self, hashes: Hashes, places: NDArray[np.int64]) -> None:
        """Add hashes with their positions, (N,), which must increase from call to call."""
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
        # The sort is stable, so the first position of a hash comes first.
        self._kept = (
            kept[wanted], added[wanted], firsts[order[starts]][wanted], lasts[order[ends]][wanted],
        )  # fmt: skip
        self._new, self._waiting = [], 0

    def shares(self, train: int) -> tuple[float | None, float | None]:
        """Return the share of hashes that occur more than once, and of distinct hashes from `train` on that precede it.

        A share is None if there are no such hashes.
        """
        self._merge()
        _, counts, firsts, lasts = self._kept
        held_out = lasts >= train
        all_met, in_both = int(counts.sum()), np.count_nonzero(held_out & (firsts < train))
        return (
            int(counts[counts > 1].sum()) / all_met if all_met else None,
            int(in_both) / int(held_out.sum()) if held_out.any() else None,
        )


def powers_of(base: int, number: int) -> Hashes:
    """Return the first `number` powers of `base`, from 0 on, modulo 2^64."""
    powers = np.full(number, np.uint64(base % WHOLE))
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def mix(numbers: Hashes) -> Hashes:
    """Hash 64-bit numbers with the finalizer of SplitMix64 (Steele et al. 2014)."""
    mixed = numbers + np.uint64(MULTIPLIER)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
