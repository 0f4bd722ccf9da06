"""From logits to a character, in this order: allowed, repetition, temperature, top-k, top-p, min-p, draw.

What is allowed is what `allow` says and `ban` does not, but for the unknown symbol, and what can still lead to `match`.
At temperature 0 the likeliest character is taken after the first two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.models.stepper import Draw, Logits, TemperedDraw, Tokens
from charrnn.sampling.filters import (
    Scores,
    at_temperature,
    keep_min_p,
    keep_only,
    keep_top_k,
    keep_top_p,
    penalise_repetition,
)
from charrnn.sampling.rng import Uniforms
from charrnn.text.vocabulary import Vocabulary, name_of


class Context(Protocol):
    """What a draw looks at of the text that it is for."""

    @property
    def allowed(self) -> NDArray[np.bool_] | None:
        """(V,) the characters that may come next; all, if None."""

    def recent(self, count: int) -> Sequence[int]:
        """The last characters."""


class Tempered(TemperedDraw):
    """Draw from p^(1 / temperature), made to sum to 1.

    Args:
        temperature: more than 0.
        random: the random numbers of each text.
    """

    def __init__(self, temperature: float, random: Uniforms) -> None:
        self.temperature, self.random = temperature, random

    def __call__(self, logits: Logits) -> Tokens:
        """See TemperedDraw."""
        return draw_from(at_temperature(checked_scores(logits), self.temperature), self.uniforms())

    def uniform(self, row: int) -> float:
        """See TemperedDraw."""
        return self.random.take(row)

    def uniforms(self) -> NDArray[np.float64]:
        """See TemperedDraw."""
        return self.random.take_all()

    def upcoming(self, count: int) -> NDArray[np.float64]:
        """See TemperedDraw."""
        return self.random.upcoming(count)


class Filtered:
    """Draw with all filters.

    Args:
        config: which they are.
        random: the random numbers of each text.
        allowed: (V,) the characters that may be written at all.
        contexts: the texts.
    """

    def __init__(
        self, config: SamplingConfig, random: Uniforms, allowed: NDArray[np.bool_], contexts: Sequence[Context]
    ) -> None:
        self.config, self.random, self.allowed, self.contexts = config, random, allowed, contexts

    def __call__(self, logits: Logits) -> Tokens:
        """Logits (B, V) → tokens (B,)."""
        config = self.config
        scores = allowed_scores(logits, self.allowed, self.contexts)
        if config.repetition_penalty != 1:
            recent = [context.recent(config.repetition_window) for context in self.contexts]
            scores = penalise_repetition(scores, recent, config.repetition_penalty)
        if config.temperature == 0:
            likeliest: Tokens = scores.argmax(-1)
            return likeliest
        scores = at_temperature(scores, config.temperature)
        if config.top_k is not None:
            scores = keep_top_k(scores, config.top_k)
        if config.top_p is not None:
            scores = keep_top_p(scores, config.top_p)
        if config.min_p is not None:
            scores = keep_min_p(scores, config.min_p)
        return draw_from(scores - scores.max(-1, keepdims=True), self.random.take_all())


def make_draw(
    config: SamplingConfig, random: Uniforms, vocabulary: Vocabulary, contexts: Sequence[Context] = ()
) -> Draw:
    """How to choose the next characters of B texts.

    Args:
        config: the filters.
        random: the random numbers of each text.
        vocabulary: the model's.
        contexts: the texts, which `match` and the repetition penalty look at.

    Returns:
        A function from logits (B, V) to tokens (B,); it raises ModelError where no character has a probability.
    """
    allowed = allowed_by(config, vocabulary)
    is_plain = config.match is None and config.repetition_penalty == 1 and bool(allowed.all())
    if is_plain and config.temperature == 0:
        return lambda logits: checked_scores(logits).argmax(-1)
    if is_plain and config.top_k is config.top_p is config.min_p is None:
        return Tempered(config.temperature, random)
    return Filtered(config, random, allowed, contexts)


def allowed_by(config: SamplingConfig, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(V,) the characters that may be written at all.

    Raises:
        UsageError: there is none; or one is not a byte, in a vocabulary of bytes.
    """
    allowed: NDArray[np.bool_] = np.ones(len(vocabulary), bool)
    if config.allow is not None:
        allowed[:] = False
        allowed[_ids_of("--allow", config.allow, vocabulary)] = True
    if config.ban is not None:
        allowed[_ids_of("--ban", config.ban, vocabulary)] = False
    allowed[list(vocabulary.never)] = False
    if not allowed.any():
        raise UsageError("--allow, --ban: no character of the model is left to write; allow more")
    return allowed


def allowed_scores(logits: Logits, allowed: NDArray[np.bool_], contexts: Sequence[Context]) -> Scores:
    """The scores of what may be written.

    Args:
        logits: (B, V).
        allowed: (V,) the characters that may be written at all.
        contexts: of each text.

    Raises:
        ModelError: a text has none that the model gives a probability.
    """
    scores = masked(checked_scores(logits), allowed, contexts)
    if not np.isfinite(scores.max(-1)).all():
        raise ModelError(
            "none of the characters that --allow, --ban and --match leave has a probability here; leave more, or take "
            "a model that gives all characters one"
        )
    return scores


def masked(scores: Scores, allowed: NDArray[np.bool_], contexts: Sequence[Context]) -> Scores:
    """The same where a text may have none: −∞ for all that may not be written."""
    masks = [context.allowed for context in contexts]
    if any(mask is not None for mask in masks):
        allowed = np.stack([allowed if mask is None else allowed & mask for mask in masks])
    return keep_only(scores, allowed)


def draw_from(scores: Scores, random: NDArray[np.float64]) -> Tokens:
    """Where random numbers fall among the running sums of probabilities; what has none is never drawn.

    Args:
        scores: (B, V), the largest of each row 0.
        random: (B,) from 0 to 1, 1 excluded.

    Returns:
        (B,) int64.
    """
    sums = np.exp(scores).cumsum(-1)
    totals = sums[:, -1]
    places = np.minimum(random * totals, np.nextafter(totals, 0))  # which rounding could bring to the total
    drawn: Tokens = sums[0].searchsorted(places, side="right") if len(sums) == 1 else (sums <= places[:, None]).sum(-1)
    return drawn


def checked_scores(logits: Logits) -> Scores:
    """Logits in double precision; raises ModelError where they are no numbers."""
    scores = logits.astype(np.float64)
    if not np.isfinite(scores.max(-1)).all():
        raise ModelError("the model gives no probabilities: its weights are spoiled; train it again")
    return scores


def _ids_of(option: str, characters: str, vocabulary: Vocabulary) -> NDArray[Any]:
    """The ids of characters; those that the model does not know are never written anyway."""
    if vocabulary.is_bytes and not characters.isascii():
        first = name_of(next(character for character in characters if not character.isascii()))
        raise UsageError(f"{option}: the model writes bytes, of which {first} has several; name ASCII characters")
    return vocabulary.encode(characters, "skip")
