"""Which part of a text models may be scored on: the part that none of them was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.errors import ModelError
from charrnn.text.corpus import Corpus
from charrnn.text.documents import TextSpan

MIN_SEARCHED = 200
"""The shortest text, in characters, that is looked for in a training text: shorter ones occur in many texts."""
MAX_SEARCHED = 100_000_000
"""The longest training text, in characters, in which another text is looked for."""
ReadTrainingText = Callable[[Checkpoint], Corpus]
"""Reads the text that a model was fitted on, in its vocabulary; TextError if it cannot be read."""
FindTrainingText = Callable[[Checkpoint], Corpus | None]
"""The same, but None if it cannot be read."""
CHUNK_CHARS = 1 << 24
"""Characters that are searched at a time."""


@dataclass(frozen=True)
class EvalSplit:
    """Characters that none of the models was fitted on.

    Attributes:
        text: (N,) the characters, the end of a text or all of it.
        split: of the text that the models were fitted on, such as 90/10/0.
        part: which part of that they are: test, or validation; `all` where they are no part of it.
    """

    text: TextSpan
    split: str = "0/0/100"
    part: str = "all"

    @property
    def rule(self) -> str:
        """How it is scored, in words."""
        return "static, each document from the beginning" if self.text.documents else "static, one full pass"


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
        return EvalSplit(corpus.span)
    split = held_out_from(corpus.span, corpus)
    if not len(split.text):
        raise ModelError(f"{first.name} was fitted on all of {corpus.source}, nothing is held out; try another --text")
    return split


def find_held_out(text: TextSpan, fitted_on: Corpus | None) -> EvalSplit:
    """What of a text was held out of the one that a model was fitted on: all of it, if it is no part of that.

    If it is there several times, the first one counts, for what a model has seen once it knows.

    Args:
        text: (N,) the text, in the vocabulary of the other one.
        fitted_on: what the model was fitted on, if it can be read.
    """
    if fitted_on is None or len(text) < MIN_SEARCHED:
        return EvalSplit(text)
    at = find_subsequence(text.ids, fitted_on.ids)
    return EvalSplit(text) if at is None else held_out_from(text, fitted_on, at)


def held_out_from(text: TextSpan, fitted_on: Corpus, at: int = 0) -> EvalSplit:
    """What was held out of a text that begins at character `at` of the one that a model was fitted on.

    It ends in the test part of that, or else in the validation part; nothing is left if the model was fitted on all.
    """
    validation, test = fitted_on.bounds
    begin, part = (validation, "validation") if test == len(fitted_on) else (test, "test")
    return EvalSplit(text[max(0, begin - at) :], fitted_on.split, part)


def find_subsequence(part: NDArray[Any], whole: NDArray[Any]) -> int | None:
    """Where ids, (n,), n ≥ 1, are first found in others, (N,), of the same vocabulary; None if nowhere."""
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
