"""From a text to a model: its n-grams are counted, and the counts smoothed as a record of `config.SMOOTHINGS` says.

In all functions `ids` (N,) is the training part of a text, N ≥ 1, and `vocab_size` V.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import BYTES_VOCAB_SIZE, Function, NgramConfig
from charrnn.models.ngram.counting.count import CountLevel, count_ngrams
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import Discounts, interpolate, prune, smooth
from charrnn.models.ngram.smoothing.online import online_observations
from charrnn.progress import Progress, no_progress

Counter = Callable[[NDArray[Any], int, int, bool, Progress], Sequence[CountLevel]]
"""Counts the n-grams of a text, as `count_ngrams` does."""


def resolve(function: Function) -> Any:
    """The function or class that a record names."""
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    return getattr(import_module(f"charrnn.models.ngram.{module}"), name)


@dataclass(frozen=True)
class NgramCounts:
    """The counts of a text's n-grams of order 1, 2, …, with what turns them into probabilities.

    `discounts` are None where the smoothing has `levels` instead.
    """

    config: NgramConfig
    vocab_size: int
    orders: Sequence[CountLevel]
    discounts: Discounts | None

    @classmethod
    def of(
        cls,
        ids: NDArray[Any],
        vocab_size: int,
        config: NgramConfig,
        progress: Progress | None = None,
        count: Counter = count_ngrams,
    ) -> NgramCounts:
        """Count a text, and fit the discounts; the smoothing is one that has an order."""
        config = config.with_order(vocab_size == BYTES_VOCAB_SIZE)
        assert config.order
        method, counted, report = config.method, 0, progress or no_progress

        def counting(done: int, total: int) -> None:
            nonlocal counted
            counted = done
            report(done, total + method.fit_steps)

        def fitting(done: int, total: int) -> None:
            report(counted + done, counted + total)

        orders = count(ids, vocab_size, config.order, method.counts_occurrences, counting)
        fit_discounts = resolve(method.discounts)
        discounts = fit_discounts(orders, ids, vocab_size, fitting) if fit_discounts else None
        return cls(config, vocab_size, orders, discounts)

    def model(self) -> NgramModel:
        """The model of these counts."""
        if self.discounts:
            levels = smooth(self.orders, self.discounts)
        else:
            levels = resolve(self.config.method.levels)(self.orders, self.vocab_size)
        if self.config.prune:
            levels = prune(levels, self.orders, self.config.prune)
        return NgramModel(self.config, self.vocab_size, levels)

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """(N − 1,) the log-probabilities of all characters of a text but the first, by counts that go on over it.

        Raises:
            UsageError: the smoothing does not support it.
        """
        self.config.check_online()
        assert self.discounts
        seen = online_observations(self.orders, ids, self.vocab_size, self.config.method.counts_occurrences)
        probabilities = interpolate(seen, self.discounts, len(ids), self.vocab_size).numpy()[1:]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float64] = np.log(probabilities)
        return log_probs


def model_class(config: NgramConfig) -> type[NgramModel | LongestMatchModel]:
    """The class of models of a smoothing."""
    return resolve(config.method.model) or NgramModel


def fit_ngram(
    ids: NDArray[Any], vocab_size: int, config: NgramConfig, progress: Progress | None = None
) -> NgramModel | LongestMatchModel:
    """Count a text and smooth the counts."""
    if not config.method.has_order:
        model: LongestMatchModel = resolve(config.method.model).fit(ids, vocab_size, config, progress or no_progress)
        return model
    return NgramCounts.of(ids, vocab_size, config, progress).model()
