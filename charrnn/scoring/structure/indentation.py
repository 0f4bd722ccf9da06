"""How the lines of a text are indented, and how well a model knows.

A line that is not blank begins with spaces and tabs, perhaps none, and then something else. Where the indentation ends
is what a model of code must know from the lines before. Blank lines are left out, and so is the question whether a line
is blank: all odds are those without the line end, so the probabilities of all indentations sum to 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.scoring.structure.probe import Group, ProbeResult

BEGINNING = re.compile(r"^([ \t]*)[^ \t\n]", re.MULTILINE)
CHANGES = ("same", "deeper", "shallower")
"""What a line's indentation is to that of the line before."""
MIN_INDENTED = 20
"""The fewest indented lines of a text that is worth the question."""
ON_LINE, INK = "on the line", "ink"
"""Groups of characters: all but the line end; all but line end and blanks."""


@dataclass(frozen=True)
class IndentedLines:
    """The lines of a text that are not blank, but for its first, which may be half of one, and the one after.

    Attributes:
        starts: (L,) the places of their first characters.
        widths: (L,) how many spaces and tabs each begins with.
        changes: (L,) each a place in CHANGES.
    """

    starts: NDArray[np.int64]
    widths: NDArray[np.int64]
    changes: NDArray[np.int64]

    @classmethod
    def of(cls, text: str) -> IndentedLines | None:
        """Those of a text; None if it has too few that are indented."""
        lines = [(match.start(), match[1]) for match in BEGINNING.finditer(text) if match.start()]
        if sum(bool(indent) for _, indent in lines[1:]) < MIN_INDENTED:
            return None
        step = np.diff([len(indent.expandtabs()) for _, indent in lines])
        return cls(
            np.array([start for start, _ in lines[1:]]),
            np.array([len(indent) for _, indent in lines[1:]]),
            np.where(step == 0, 0, np.where(step > 0, 1, 2)),
        )

    @property
    def places(self) -> NDArray[np.int64]:
        """(M,) all places of indentations, and behind each the one of the first other character."""
        sizes = self.widths + 1
        places: NDArray[np.int64] = np.repeat(self.starts - self._begins, sizes) + np.arange(sizes.sum())
        return places

    @property
    def _begins(self) -> NDArray[np.int64]:
        """(L,) where in `places` each line begins."""
        sizes = self.widths + 1
        begins: NDArray[np.int64] = np.cumsum(sizes) - sizes
        return begins

    def judge(
        self, ids: NDArray[Any], result: ProbeResult, blanks: Sequence[int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """How well a model knows the indentation of each line.

        The result is that at `places` at least, with the groups ON_LINE and INK; `blanks` are the ids of space and tab.

        Returns:
            (L,) whether what it takes for likeliest, character by character, is the very indentation that stands there:
            each of its blanks, and then something else. (L,) nats, −ln of that indentation's probability.
        """
        places = self.places
        rows = result.rows(places)
        is_end = np.zeros(len(places), bool)
        is_end[self._begins + self.widths] = True
        best = result.best[ON_LINE][rows]
        right = np.where(is_end, ~np.isin(best, blanks), best == ids[places])
        chosen = np.where(is_end, result.mass[INK][rows], -result.surprisals[places])
        nats = result.mass[ON_LINE][rows] - chosen
        begins = self._begins
        return np.logical_and.reduceat(right, begins), np.add.reduceat(nats, begins)


def groups(vocab_size: int, line_ends: Sequence[int], blanks: Sequence[int]) -> dict[str, Group]:
    """What `IndentedLines.judge` wants to know of: ids of line ends and of blanks → groups by their names."""
    on_line = [token for token in range(vocab_size) if token not in line_ends]
    return {ON_LINE: on_line, INK: [token for token in on_line if token not in blanks]}
