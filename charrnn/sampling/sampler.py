"""From logits to a character: the filters, in their order, and then a draw; at temperature 0 the likeliest."""

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
    """The sampler with a temperature and no other filter, with the random numbers of each text."""

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
    """Apply the active filters, in order, and draw from what they leave; at temperature 0 take the likeliest."""

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
        """Logits (B, V) → tokens (B,)."""
        scores = checked_scores(logits)
        for apply in self.before:
            scores = apply(scores, self.contexts)
        if self.before and self.after:  # the temperature of nothing is no number
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
        """Raise ModelError where a row has no character left."""
        if not np.isfinite(largest).all():
            raise ModelError(
                f"none of the characters that {', '.join(constraint_options(self.config))} leave has a probability "
                "here; leave more, or take a model that gives all characters one"
            )


def make_sampler(
    config: SamplingConfig, random: CounterRNG, vocabulary: Vocabulary, contexts: Sequence[Context] = ()
) -> Sampler:
    """How to choose the next characters of B texts.

    Where no filter but the temperature is on, a model may sample without spreading out its distribution.

    Args:
        config: the settings.
        random: the random numbers of each text.
        vocabulary: the model's.
        contexts: the texts.

    Returns:
        A function from logits (B, V) to tokens (B,); it raises ModelError where no character has a probability.

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
