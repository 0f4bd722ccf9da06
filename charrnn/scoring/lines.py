"""How surprising each line of a text is: the sum over its characters, its line end among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.scoring.evaluate import Score


@dataclass(frozen=True)
class LineScore:
    """A line of a text, scored where it stands, after all that comes before it.

    Attributes:
        line: its number in the text, from 1.
        score: of its characters; a line end is one.
        ids: (n,) the characters, without the line end.
    """

    line: int
    score: Score
    ids: NDArray[Any]


def by_line(
    surprisals: NDArray[np.float64], ids: NDArray[Any], line_end: int | None, first: int = 1
) -> Iterator[LineScore]:
    """The lines of a text, in their order; their scores add up to that of the text.

    Args:
        surprisals: (N,) nats of its characters.
        ids: (N,) the characters.
        line_end: the id of a line end; None where the vocabulary has none.
        first: the number of the first line.
    """
    is_end = np.zeros(len(ids), bool) if line_end is None else np.asarray(ids == line_end)
    begin = 0
    for number, end in enumerate((*(np.flatnonzero(is_end) + 1).tolist(), len(ids)), first):
        if begin < end:  # a text that ends with a line end has no line after it
            yield LineScore(number, Score.of(surprisals[begin:end]), ids[begin : end - int(is_end[end - 1])])
        begin = end
