"""What of a text a model has not been fitted on: nothing else may be held against it, or for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from charrnn.text.corpus import Corpus

LEAST = 200
"""Characters of a text that is looked for in what a model was fitted on: shorter ones stand in many a text."""
MOST = 100_000_000
"""Characters of a text in which one is looked for."""
PIECE = 1 << 24
"""Characters that are looked through at a time."""


@dataclass(frozen=True)
class Unseen:
    """The end of a text that a model was not fitted on.

    Attributes:
        begin: where it begins; at the end of the text if the model was fitted on all of it.
        part: what it is of the text that the model was fitted on: validation or test; `all` where it is no part of it.
        split: of that text, such as 90/10/0.
    """

    begin: int = 0
    part: str = "all"
    split: str = "0/0/100"


def unseen_in(ids: NDArray[Any], fitted_on: Corpus | None) -> Unseen:
    """What of a text was held out of the text that a model was fitted on, if it is a part of that.

    A text may stand there several times; the first one counts, for what a model has seen once it knows.

    Args:
        ids: (N,) the text, in the vocabulary of the other one.
        fitted_on: what the model was fitted on, if it can be read.
    """
    if fitted_on is None or len(ids) < LEAST:
        return Unseen()
    at = place_of(ids, fitted_on.ids)
    if at is None:
        return Unseen()
    return held_out_from(len(ids), fitted_on, at)


def held_out_from(length: int, fitted_on: Corpus, at: int = 0) -> Unseen:
    """The same of so many characters that stand at a place of that text: its test part, or else its validation part."""
    validation, test = fitted_on.bounds
    begin, part = (test, "test") if len(fitted_on.test) else (validation, "validation")
    return Unseen(min(length, max(0, begin - at)), part, fitted_on.split)


def place_of(part: NDArray[Any], whole: NDArray[Any]) -> int | None:
    """Where a text first stands in another one.

    Args:
        part: (n,) ids, n ≥ 1.
        whole: (N,) ids of the same type; they may be memory-mapped.

    Returns:
        The place, or None if it is nowhere.
    """
    needle, size = part.astype(whole.dtype).tobytes(), whole.dtype.itemsize
    step = max(PIECE, len(part))
    for begin in range(0, len(whole) - len(part) + 1, step):
        piece = whole[begin : begin + step + len(part) - 1].tobytes()
        at = piece.find(needle)
        while at > 0 and at % size:  # it begins within an id
            at = piece.find(needle, at + 1)
        if at >= 0:
            return begin + at // size
    return None
