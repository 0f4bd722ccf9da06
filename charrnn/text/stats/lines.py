"""Statistics of the lines of a text that is read in pieces: lengths, trailing white space, document separators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEWLINE, TAB, SPACE = ord("\n"), ord("\t"), ord(" ")
SEPARATORS = ("<|endoftext|>", "<|endofdocument|>", "</s>", "<eos>", "<EOS>", "%")
"""Lines that commonly separate documents."""
SIGNS = "-=*_~+"
"""Characters that, repeated, make a separator line, such as ----."""
MAX_SEPARATOR_LENGTH, MIN_SIGNS = 80, 3
"""The maximum length of a separator line, and the minimum number of repeated signs in one."""
MAX_SEPARATORS, SHOWN_SEPARATORS = 1000, 10
"""The maximum number of distinct separators that are counted, and that are reported."""
_IS_FIRST = np.array([chr(i) in "".join((SIGNS, *(line[0] for line in SEPARATORS))) for i in range(128)])


@dataclass(frozen=True)
class Lines:
    """Statistics of the lines of a text. Lengths are in characters, without the line end.

    Attributes:
        number: number of lines; text after the last line end is a line too.
        blank: number of lines with white space only.
        trailing_space: number of lines that end with spaces or tabs.
        median_length: median length.
        length_90: 90th percentile of the lengths.
        longest: maximum length.
        separators: the ten most frequent lines that may separate documents, with their counts.
    """

    number: int
    blank: int
    trailing_space: int
    median_length: int
    length_90: int
    longest: int
    separators: dict[str, int]


class LineCounter:
    """A counter of the lines of a text, which is read in pieces.

    Its memory is bounded: n distinct lengths take a text of n²/2 characters.
    """

    def __init__(self) -> None:
        self.lengths: Counter[int] = Counter()
        self.separators: Counter[str] = Counter()
        self.blank = self.trailing = 0
        self._length = self._inked = 0  # all characters, and the visible ones, of the unfinished line
        self._last = NEWLINE
        self._begin = ""  # the beginning of the unfinished line, which may be a separator

    def feed(self, piece: NDArray[Any]) -> None:
        """Count a piece: (N,) code points or bytes."""
        if not len(piece):
            return
        ends = np.flatnonzero(piece == NEWLINE)
        begins = np.append(0, ends + 1)
        inked = np.append(0, np.cumsum(piece > SPACE))
        if len(ends):
            lengths, inks = ends - begins[:-1], inked[ends] - inked[begins[:-1]]
            lengths[0] += self._length
            inks[0] += self._inked
            before = piece[np.maximum(ends - 1, 0)].astype(np.int64)
            before[0] = self._last if ends[0] == 0 else before[0]
            self._count(lengths, inks, before)
            self._find_separators(piece, begins, lengths)
            self._length = self._inked = 0
        rest = int(begins[-1])
        self._length += len(piece) - rest
        self._inked += int(inked[-1] - inked[rest])
        self._last = int(piece[-1])
        if self._length <= MAX_SEPARATOR_LENGTH:
            self._begin += _text(piece[rest:])

    def _count(self, lengths: NDArray[Any], inks: NDArray[Any], before: NDArray[Any]) -> None:
        different, numbers = np.unique(lengths, return_counts=True)
        self.lengths.update(dict(zip(different.tolist(), numbers.tolist(), strict=True)))
        self.blank += int(np.count_nonzero(inks == 0))
        self.trailing += int(np.count_nonzero((lengths > 0) & ((before == SPACE) | (before == TAB))))

    def _find_separators(self, piece: NDArray[Any], begins: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Count lines that may be separators."""
        first = piece[begins[:-1]]
        short = (lengths > 0) & (lengths <= MAX_SEPARATOR_LENGTH) & (first < 128)
        short[short] = _IS_FIRST[first[short]]
        if lengths[0] <= MAX_SEPARATOR_LENGTH and self._begin:
            short[0] = True
        for i in np.flatnonzero(short).tolist():
            line = (self._begin if i == 0 else "") + _text(piece[begins[i] : begins[i + 1] - 1])
            if _is_separator(line) and (line in self.separators or len(self.separators) < MAX_SEPARATORS):
                self.separators[line] += 1
        self._begin = ""

    def finish(self) -> Lines:
        """Return the statistics, after the last piece."""
        if self._length:
            self._count(np.array([self._length]), np.array([self._inked]), np.array([self._last]))
            self._length = 0
        return Lines(
            number=self.lengths.total(),
            blank=self.blank,
            trailing_space=self.trailing,
            median_length=_quantile(self.lengths, 0.5),
            length_90=_quantile(self.lengths, 0.9),
            longest=max(self.lengths, default=0),
            separators=dict(self.separators.most_common(SHOWN_SEPARATORS)),
        )


def _is_separator(line: str) -> bool:
    signs = line.replace(" ", "")
    is_one_sign = len(signs) >= MIN_SIGNS and len(set(signs)) == 1 and signs[0] in SIGNS
    return is_one_sign or line in SEPARATORS


def _text(points: NDArray[Any]) -> str:
    return points[:MAX_SEPARATOR_LENGTH].astype("<u4").tobytes().decode("utf-32-le")


def _quantile(numbers: Counter[int], share: float) -> int:
    """Return the smallest length that at least this share of the lines does not exceed."""
    left = share * numbers.total()
    for length in sorted(numbers):
        left -= numbers[length]
        if left <= 1e-9:
            return length
    return 0
