"""From a text to a model: the counts, the smoothing's rule, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import BYTES_VOCAB_SIZE, NgramConfig
from charrnn.errors import UsageError
from charrnn.models.ngram.counting.count import Counts, Progress, count_ngrams
from charrnn.models.ngram.counting.prune import prune
from charrnn.models.ngram.longest.model import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.methods import (
    Rule,
    kneser_ney,
    maximum_likelihood,
    one_discount,
    smooth,
    stupid_backoff,
    three_discounts,
    witten_bell,
)
from charrnn.models.ngram.smoothing.observations import predict
from charrnn.models.ngram.smoothing.online import online_events
from charrnn.models.ngram.smoothing.tuned import EVALUATIONS, tuned

COUNT_OCCURRENCES = ("ml", "stupid", "witten-bell")
"""Smoothings whose lower orders count how often n-grams occur; those of the others count what stands before them."""


Counter = Callable[[NDArray[Any], int, int, bool, Progress | None], Sequence[Counts]]


@dataclass(frozen=True)
class Counted:
    """A text's n-grams, with what turns them into probabilities.

    Attributes:
        config: order and smoothing.
        vocab_size: V.
        orders: the counts of order 1, 2, …
        rule: of the smoothing; None for stupid back-off, which has none.
    """

    config: NgramConfig
    vocab_size: int
    orders: Sequence[Counts]
    rule: Rule | None

    @classmethod
    def of(
        cls,
        ids: NDArray[Any],
        vocab_size: int,
        config: NgramConfig,
        progress: Progress | None = None,
        count: Counter = count_ngrams,
    ) -> Counted:
        """Count a text, and fit what is fitted on it.

        Args:
            ids: (N,) the training part, N ≥ 1.
            vocab_size: V.
            config: order and smoothing, other than `longest`.
            progress: told the steps done, and of how many.
            count: how to count: as `count_ngrams` does.
        """
        config = config.with_order(vocab_size == BYTES_VOCAB_SIZE)
        assert config.order
        fitting = EVALUATIONS if config.smoothing == "tuned" else 0
        steps = 0

        def counting(done: int, total: int) -> None:
            nonlocal steps
            steps = total
            if progress:
                progress(done, total + fitting)

        orders = count(ids, vocab_size, config.order, config.smoothing in COUNT_OCCURRENCES, counting)
        if config.smoothing == "tuned":
            tuning = progress and (lambda done, total: progress(steps + done, steps + total))
            rule: Rule | None = tuned(ids, vocab_size, orders, tuning)
        else:
            rule = _rule(config.smoothing, orders)
        return cls(config, vocab_size, orders, rule)

    def model(self) -> NgramModel:
        """The model of these counts."""
        orders = smooth(self.orders, self.rule) if self.rule else stupid_backoff(self.orders, self.vocab_size)
        if self.config.prune:
            orders = prune(orders, self.orders, self.config.prune)
        return NgramModel(self.config, self.vocab_size, orders)

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """The log-probabilities of all characters of a text but the first, by counts that go on over it.

        Args:
            ids: (N,) the text.

        Returns:
            (N − 1,) in nats.

        Raises:
            UsageError: the smoothing is stupid back-off, which is normalised for counts that stand still.
        """
        if not self.rule:
            raise UsageError("--online: stupid back-off cannot count on; say another --smoothing")
        occurrences = self.config.smoothing in COUNT_OCCURRENCES
        events = online_events(self.orders, ids, self.vocab_size, occurrences)
        probabilities = predict(events, self.rule, len(ids), self.vocab_size).numpy()[1:]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float64] = np.log(probabilities)
        return log_probs


def fit_ngram(
    ids: NDArray[Any], vocab_size: int, config: NgramConfig, progress: Progress | None = None
) -> NgramModel | LongestMatchModel:
    """Count a text and smooth the counts.

    Args:
        ids: (N,) the training part, N ≥ 1.
        vocab_size: V.
        config: order and smoothing.
        progress: told the steps done, and of how many.
    """
    if config.smoothing == "longest":
        return LongestMatchModel.fit(ids, vocab_size, config, progress)
    return Counted.of(ids, vocab_size, config, progress).model()


def _rule(smoothing: str, orders: Sequence[Counts]) -> Rule | None:
    """Of a smoothing that needs nothing but the counts; stupid back-off has none."""
    if smoothing in ("kn", "mkn"):
        return kneser_ney(orders, one_discount if smoothing == "kn" else three_discounts)
    return {"ml": maximum_likelihood, "witten-bell": witten_bell, "stupid": None}[smoothing]
