"""Fitting an n-gram model: count a text, then smooth the counts with a method of `config.SMOOTHINGS`.

In all functions, `ids` (N,) is the training text, N ≥ 1, and `vocab_size` is V.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import BYTES_VOCAB_SIZE, Function, NgramConfig
from charrnn.models.ngram.counting.count import CountLevel, count_ngrams
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import Discounts, Observations, interpolate, prune, smooth
from charrnn.models.ngram.smoothing.online import online_observations
from charrnn.progress import Progress, no_progress

Counter = Callable[[NDArray[Any], int, int, bool, Progress], Sequence[CountLevel]]
"""A function that counts the n-grams of a text, like `count_ngrams`."""


def resolve(function: Function) -> Any:
    """Return the function or class that a record of `config.SMOOTHINGS` names."""
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    return getattr(import_module(f"charrnn.models.ngram.{module}"), name)


@dataclass(frozen=True)
class NgramCounts:
    """The n-gram counts of a text for order 1, 2, …, and the discounts that turn them into probabilities.

    `discounts` is None if the smoothing method computes its `levels` directly.
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
        """Count a text and fit the discounts; the smoothing method must have an order."""
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

    def recount(self, ids: NDArray[Any]) -> NgramCounts:
        """Return the counts of another text with the same discounts, which takes a fraction of the time of `of`."""
        assert self.config.order
        orders = count_ngrams(ids, self.vocab_size, self.config.order, self.config.method.counts_occurrences)
        return replace(self, orders=orders)

    def model(self) -> NgramModel:
        """Return the model of these counts."""
        if self.discounts:
            levels = smooth(self.orders, self.discounts)
        else:
            levels = resolve(self.config.method.levels)(self.orders, self.vocab_size)
        if self.config.prune:
            levels = prune(levels, self.orders, self.config.prune)
        return NgramModel(self.config, self.vocab_size, levels)

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return (N − 1,) log-probabilities of a text without its first character, updating the counts as it is read.

        Raises:
            UsageError: the smoothing method does not support online scoring.
        """
        self.config.check_online()
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float64] = np.log(self.online_probabilities(ids)[0][1:])
        return log_probs

    def online_probabilities(self, ids: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return (N,) the probability of each character of a text when counts are updated as it is read.

        The second array, (N,), has the number of characters of the longest context that was seen before.
        """
        assert self.discounts
        lengths = np.full(len(ids), -1)

        def observations() -> Iterator[Observations]:
            occurrences = self.config.method.counts_occurrences
            for seen in online_observations(self.orders, ids, self.vocab_size, occurrences):
                lengths[seen.rows.numpy()] += 1
                yield seen

        return interpolate(observations(), self.discounts, len(ids), self.vocab_size).numpy(), lengths.clip(min=0)


def model_class(config: NgramConfig) -> type[NgramModel | LongestMatchModel]:
    """Return the model class of a smoothing method."""
    return resolve(config.method.model) or NgramModel


def fit_ngram(
    ids: NDArray[Any], vocab_size: int, config: NgramConfig, progress: Progress | None = None
) -> NgramModel | LongestMatchModel:
    """Count a text and smooth the counts."""
    if not config.method.has_order:
        model: LongestMatchModel = resolve(config.method.model).fit(ids, vocab_size, config, progress or no_progress)
        return model
    return NgramCounts.of(ids, vocab_size, config, progress).model()
