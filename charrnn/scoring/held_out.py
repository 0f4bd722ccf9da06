"""Which part of a text models may be scored on: the part that none of them was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.errors import ModelError
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Documents

MIN_SEARCHED = 200
"""The shortest text, in characters, that is looked for in a training text: shorter ones occur in many texts."""
MAX_SEARCHED = 100_000_000
"""The longest training text, in characters, in which another text is looked for."""
CHUNK_CHARS = 1 << 24
"""Characters that are searched at a time."""


@dataclass(frozen=True)
class EvalSplit:
    """Characters that none of the models was fitted on.

    Attributes:
        ids: (N,) the characters.
        split: the split of the text, such as 90/10/0.
        part: which part of it they are: test, validation, or all.
        documents: what tells documents apart, if each is scored from the beginning.
    """

    ids: NDArray[Any]
    split: str
    part: str
    documents: Documents | None = None

    @property
    def rule(self) -> str:
        """How it is scored, in words."""
        return "static, each document from the beginning" if self.documents else "static, one full pass"


def choose_split(checkpoints: Sequence[Checkpoint], corpus: Corpus) -> EvalSplit:
    """The part of a text that models can be compared on.

    For the text that the models were fitted on, its test part, or else its validation part; for another, all of it.

    Raises:
        ModelError: vocabularies differ, or a model may have been fitted on some of the characters.
    """
    first = checkpoints[0]
    for other in checkpoints[1:]:
        if other.vocabulary != first.vocabulary:
            raise ModelError(
                f"{first.name} and {other.name} have different vocabularies "
                f"({len(first.vocabulary)} and {len(other.vocabulary)} characters), so their bits per character "
                "are not of the same thing; compare models that were fitted on the same text"
            )
    fitted_on_it = [checkpoint for checkpoint in checkpoints if checkpoint.metadata.text.sha256 == corpus.sha256]
    for checkpoint in fitted_on_it:
        if checkpoint.metadata.text.corpus != fitted_on_it[0].metadata.text.corpus:
            raise ModelError(
                f"{fitted_on_it[0].name} and {checkpoint.name} read or split {corpus.source} differently, so what one "
                "of them was fitted on is held out for the other; fit them with the same options"
            )
    if not fitted_on_it:
        return EvalSplit(corpus.ids, "0/0/100", "all", corpus.documents)
    if len(corpus.test):
        return EvalSplit(corpus.test, corpus.split, "test", corpus.documents)
    if len(corpus.validation):
        return EvalSplit(corpus.validation, corpus.split, "validation", corpus.documents)
    raise ModelError(f"{first.name} was fitted on all of {corpus.source}, nothing is held out; try another --text")


@dataclass(frozen=True)
class HeldOutSpan:
    """The end of a text that a model was not fitted on.

    Attributes:
        begin: where it begins; at the end of the text if the model was fitted on all of it.
        part: what it is of the text that the model was fitted on: validation or test; `all` where it is no part of it.
        split: of that text, such as 90/10/0.
    """

    begin: int = 0
    part: str = "all"
    split: str = "0/0/100"


def find_held_out(ids: NDArray[Any], fitted_on: Corpus | None) -> HeldOutSpan:
    """What of a text was held out of the text that a model was fitted on, if it is a part of that.

    A text may stand there several times; the first one counts, for what a model has seen once it knows.

    Args:
        ids: (N,) the text, in the vocabulary of the other one.
        fitted_on: what the model was fitted on, if it can be read.
    """
    if fitted_on is None or len(ids) < MIN_SEARCHED:
        return HeldOutSpan()
    at = find_subsequence(ids, fitted_on.ids)
    if at is None:
        return HeldOutSpan()
    return held_out_from(len(ids), fitted_on, at)


def held_out_from(length: int, fitted_on: Corpus, at: int = 0) -> HeldOutSpan:
    """The same of so many characters that stand at a place of that text: its test part, or else its validation part."""
    validation, test = fitted_on.bounds
    begin, part = (test, "test") if len(fitted_on.test) else (validation, "validation")
    return HeldOutSpan(min(length, max(0, begin - at)), part, fitted_on.split)


def find_subsequence(part: NDArray[Any], whole: NDArray[Any]) -> int | None:
    """Where a text first stands in another one.

    Args:
        part: (n,) ids, n ≥ 1.
        whole: (N,) ids of the same type; they may be memory-mapped.

    Returns:
        The place, or None if it is nowhere.
    """
    needle, size = part.astype(whole.dtype).tobytes(), whole.dtype.itemsize
    step = max(CHUNK_CHARS, len(part))
    for begin in range(0, len(whole) - len(part) + 1, step):
        piece = whole[begin : begin + step + len(part) - 1].tobytes()
        at = piece.find(needle)
        while at > 0 and at % size:  # it begins within an id
            at = piece.find(needle, at + 1)
        if at >= 0:
            return begin + at // size
    return None
