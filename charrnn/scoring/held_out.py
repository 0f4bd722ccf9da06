"""Find the part of a text that models may be scored on: characters that none of them was fitted on."""

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
"""The shortest text, in characters, to search for in a training text; shorter ones may occur by coincidence."""
MAX_SEARCHED = 100_000_000
"""The longest training text, in characters, to search in."""
ReadTrainingText = Callable[[Checkpoint], Corpus]
"""A function that reads a model's training text in the model's vocabulary; TextError if it cannot be read."""
FindTrainingText = Callable[[Checkpoint], Corpus | None]
"""A function that reads a model's training text in the model's vocabulary; None if it cannot be read."""
CHUNK_CHARS = 1 << 24
"""Number of characters searched at a time."""


@dataclass(frozen=True)
class EvalSplit:
    """Characters that none of the models was fitted on.

    Attributes:
        text: (N,) the characters: a whole text, or the end of one.
        split: the split of the training text, such as 90/10/0.
        part: `test` or `validation`, if the characters are from that part of the training text; otherwise `all`.
    """

    text: TextSpan
    split: str = "0/0/100"
    part: str = "all"

    @property
    def rule(self) -> str:
        """How the characters are scored, in words."""
        return "static, each document separately" if self.text.documents else "static, one full pass"


def choose_split(checkpoints: Sequence[Checkpoint], corpus: Corpus) -> EvalSplit:
    """Choose the part of a text to compare models on.

    For the models' training text that is the test part, or the validation part if there is no test part; for any other
    text, all of it.

    Raises:
        ModelError: the vocabularies differ, or a model may have been fitted on some of the characters.
    """
    first = checkpoints[0]
    for other in checkpoints[1:]:
        if other.vocabulary != first.vocabulary:
            raise ModelError(
                f"{first.name} and {other.name} have different vocabularies "
                f"({len(first.vocabulary)} and {len(other.vocabulary)} characters), so their bits per character "
                "are not comparable; compare models that were fitted on the same text"
            )
    fitted_on_it = [checkpoint for checkpoint in checkpoints if checkpoint.metadata.text.sha256 == corpus.sha256]
    for checkpoint in fitted_on_it:
        if checkpoint.metadata.text.corpus != fitted_on_it[0].metadata.text.corpus:
            raise ModelError(
                f"{fitted_on_it[0].name} and {checkpoint.name} read or split {corpus.source} differently, so the "
                "held-out part of one overlaps the training part of the other; fit them with the same options"
            )
    if not fitted_on_it:
        return EvalSplit(corpus.span)
    split = held_out_from(corpus.span, corpus)
    if not len(split.text):
        raise ModelError(f"{first.name} was fitted on all of {corpus.source}; try an unseen text with --text")
    return split


def find_held_out(text: TextSpan, fitted_on: Corpus | None) -> EvalSplit:
    """Return the part of a text that was held out from a model's training: all of it if the training text lacks it.

    If the text occurs several times in the training text, the first occurrence counts.

    Args:
        text: (N,) the text, in the vocabulary of `fitted_on`.
        fitted_on: the model's training text; None if it cannot be read.
    """
    if fitted_on is None or len(text) < MIN_SEARCHED:
        return EvalSplit(text)
    at = find_subsequence(text.ids, fitted_on.ids)
    return EvalSplit(text) if at is None else held_out_from(text, fitted_on, at)


def held_out_from(text: TextSpan, fitted_on: Corpus, at: int = 0) -> EvalSplit:
    """Return the held-out part of a text that begins at character `at` of a model's training text.

    The result is in the test part of the training text, or in the validation part if there is no test part; it is empty
    if the model was fitted on the whole text.
    """
    validation, test = fitted_on.bounds
    begin, part = (validation, "validation") if test == len(fitted_on) else (test, "test")
    return EvalSplit(text[max(0, begin - at) :], fitted_on.split, part)


def find_subsequence(part: NDArray[Any], whole: NDArray[Any]) -> int | None:
    """Return the position of the first occurrence of (n,) ids, n ≥ 1, in (N,) ids; None if there is none."""
    needle, size = part.astype(whole.dtype).tobytes(), whole.dtype.itemsize
    step = max(CHUNK_CHARS, len(part))
    for begin in range(0, len(whole) - len(part) + 1, step):
        piece = whole[begin : begin + step + len(part) - 1].tobytes()
        at = piece.find(needle)
        while at > 0 and at % size:  # a match of bytes that begins in the middle of an id
            at = piece.find(needle, at + 1)
        if at >= 0:
            return begin + at // size
    return None
