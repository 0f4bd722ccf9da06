"""The indentation of the lines of a text, and how well a model predicts that.

A line that is not blank begins with zero or more spaces and tabs, followed by another character. A model of code must
predict from the lines before where the indentation ends. Blank lines are left out, and all probabilities are
conditional on the line not being blank, so that the probabilities of all indentations sum to 1.
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
"""Changes of indentation from one line to the next."""
MIN_INDENTED = 20
"""Minimum number of indented lines in a text to measure indentation."""
ON_LINE, INK = "on the line", "ink"
"""Names of groups of characters: all except line ends, and all except line ends and blanks."""


@dataclass(frozen=True)
class IndentedLines:
    """The lines of a text that are not blank, without the first line (which may be cut off) and the line after that.

    Attributes:
        starts: (L,) position of the first character of each line.
        widths: (L,) number of spaces and tabs at the beginning of each line.
        changes: (L,) change of indentation, as an index of CHANGES.
    """

    starts: NDArray[np.int64]
    widths: NDArray[np.int64]
    changes: NDArray[np.int64]

    @classmethod
    def of(cls, text: str) -> IndentedLines | None:
        """Find the lines of a text; None if too few are indented."""
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
        """(M,) positions of all indentation characters, and of the character after each indentation."""
        sizes = self.widths + 1
        places: NDArray[np.int64] = np.repeat(self.starts - self._begins, sizes) + np.arange(sizes.sum())
        return places

    @property
    def _begins(self) -> NDArray[np.int64]:
        """(L,) start of each line in `places`."""
        sizes = self.widths + 1
        begins: NDArray[np.int64] = np.cumsum(sizes) - sizes
        return begins

    def judge(
        self, ids: NDArray[Any], result: ProbeResult, blanks: Sequence[int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Measure how well a model predicts the indentation of each line.

        Args:
            ids: (N,) the text.
            result: the model's predictions, at least at `places`, with the groups ON_LINE and INK.
            blanks: the ids of space and tab.

        Returns:
            (L,) whether the likeliest characters are exactly the line's indentation: each blank, and then another
            character; (L,) −ln of the indentation's probability, in nats.
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
    """Return the groups of ids that `IndentedLines.judge` needs, by name, from the ids of line ends and blanks."""
    on_line = [token for token in range(vocab_size) if token not in line_ends]
    return {ON_LINE: on_line, INK: [token for token in on_line if token not in blanks]}
