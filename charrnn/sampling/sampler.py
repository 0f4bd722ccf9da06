"""The sampler: from logits to a character, by applying the filters in order and drawing; greedy at temperature 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.stepper import Logits, Sampler, TemperatureSampler, Tokens
from charrnn.sampling.filters import (
    TEMPERATURE,
    ApplyFilter,
    Context,
    Filter,
    Scores,
    active_filters,
    at_temperature,
    constraint_options,
)
from charrnn.sampling.rng import CounterRNG
from charrnn.text.vocabulary import Vocabulary


class CounterTemperatureSampler(TemperatureSampler):
    """The sampler with a temperature and no other filter, using each text's own random numbers."""

    def __init__(self, temperature: float, random: CounterRNG) -> None:
        self.temperature, self.random = temperature, random

    def __call__(self, logits: Logits) -> Tokens:
        return draw_from(at_temperature(checked_scores(logits), self.temperature), self.uniforms())

    def uniform(self, row: int) -> float:
        return self.random.next(row)

    def uniforms(self) -> NDArray[np.float64]:
        return self.random.next_all()

    def peek(self, count: int) -> NDArray[np.float64]:
        return self.random.peek(count)


class FilteredSampler:
    """A sampler that applies the active filters in order and draws from the result; greedy at temperature 0."""

    def __init__(
        self,
        config: SamplingConfig,
        active: Mapping[Filter, ApplyFilter],
        random: CounterRNG,
        contexts: Sequence[Context],
    ) -> None:
        self.config, self.random, self.contexts = config, random, contexts
        self.is_greedy = TEMPERATURE not in active
        place = len(active) if self.is_greedy else list(active).index(TEMPERATURE)
        self.before, self.after = list(active.values())[:place], list(active.values())[place:]

    def __call__(self, logits: Logits) -> Tokens:
        """Draw tokens (B,) from logits (B, V)."""
        scores = checked_scores(logits)
        for apply in self.before:
            scores = apply(scores, self.contexts)
        if self.before and self.after:  # with all scores −∞, the temperature would give NaN
            self._check(scores.max(-1))
        for apply in self.after:
            scores = apply(scores, self.contexts)
        largest = scores.max(-1, keepdims=True)
        self._check(largest)
        if self.is_greedy:
            likeliest: Tokens = scores.argmax(-1)
            return likeliest
        return draw_from(scores - largest, self.random.next_all())

    def _check(self, largest: Scores) -> None:
        """Raise ModelError if a row has no possible character."""
        if not np.isfinite(largest).all():
            raise ModelError(
                f"{', '.join(constraint_options(self.config))}: every allowed character has probability 0 here; "
                "allow more characters, or use a model that gives every character a probability above 0"
            )


def make_sampler(
    config: SamplingConfig, random: CounterRNG, vocabulary: Vocabulary, contexts: Sequence[Context] = ()
) -> Sampler:
    """Return a sampler for the next characters of B texts.

    If no filter except the temperature is on, the model may sample without computing its whole distribution.

    Args:
        config: the settings.
        random: the random numbers of each text.
        vocabulary: the vocabulary of the model.
        contexts: the texts.

    Returns:
        A function from logits (B, V) to tokens (B,); it raises ModelError if all characters have probability 0.

    Raises:
        UsageError: the settings do not fit the vocabulary.
    """
    active = active_filters(config, vocabulary)
    if not active:  # temperature 0
        return lambda logits: checked_scores(logits).argmax(-1)
    if active.keys() == {TEMPERATURE}:
        return CounterTemperatureSampler(config.temperature, random)
    return FilteredSampler(config, active, random, contexts)


def draw_from(scores: Scores, random: NDArray[np.float64]) -> Tokens:
    """Draw a token per row: the index at which a random number falls into the cumulative probabilities.

    Args:
        scores: (B, V), with maximum 0 in each row; −∞ is never drawn.
        random: (B,) uniform on [0, 1).

    Returns:
        (B,) int64.
    """
    sums = np.exp(scores).cumsum(-1)
    totals = sums[:, -1]
    places = np.minimum(random * totals, np.nextafter(totals, 0))  # rounding could otherwise reach the total
    drawn: Tokens = sums[0].searchsorted(places, side="right") if len(sums) == 1 else (sums <= places[:, None]).sum(-1)
    return drawn


def checked_scores(logits: Logits) -> Scores:
    """Convert logits to double precision; raise ModelError if they are NaN or infinite."""
    scores = logits.astype(np.float64)
    if not np.isfinite(scores.max(-1)).all():
        raise ModelError(
            "the model produced NaN or infinite logits: training diverged, or the checkpoint is damaged; train it again"
        )
    return scores
