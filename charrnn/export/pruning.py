"""N-gram models made small enough: the n-grams go first whose loss changes the distribution least.

The change is measured by relative entropy (Stolcke 1998, "Entropy-based pruning of backoff language models"): how often
the model itself would write the n-gram, times the logarithm of how much less likely it becomes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import BackoffLevel, keep_entries
from charrnn.models.ngram.trie import NOT_FOUND, Ints

SEARCH_STEPS = 12
"""The number of thresholds tried."""


def prune_ngrams(model: NgramModel, threshold: float, costs: list[NDArray[np.float64]] | None = None) -> NgramModel:
    """Return the model without the n-grams that cost less than a threshold, in nats per character.

    Args:
        model: the model; one with negative weights is returned unchanged.
        threshold: the largest cost that is too small to keep an n-gram; contexts of longer n-grams are kept.
        costs: the result of `costs_of`, if it is known.
    """
    if threshold <= 0 or model.config.method.has_negative_weights:
        return model
    costs = costs_of(model) if costs is None else costs
    orders = keep_entries(model.orders, [cost > threshold for cost in costs])
    return NgramModel(model.config, model.vocab_size, orders)


def costs_of(model: NgramModel) -> list[NDArray[np.float64]]:
    """Return the cost of losing each n-gram, (E,) for each order, in nats per character."""
    costs: list[NDArray[np.float64]] = []
    suffixes: Ints | None = None  # of each entry of the order below: the entry without the oldest character
    below: NDArray[np.float64] | None = None  # the probability of each entry of the order below
    joint = np.ones(1)  # how often a context occurs
    for k, order in enumerate(model.orders, 1):
        owners = np.repeat(np.arange(len(order.starts) - 1), np.diff(order.starts.astype(np.int64)))
        tokens = order.tokens.astype(np.int64)
        if k == 1 or suffixes is None or below is None:
            shorter = np.full(len(tokens), 1 / model.vocab_size)
            suffix = np.zeros(len(tokens), np.int64)
        else:
            context = suffixes[owners]
            suffix = model.orders[k - 2].find(context, tokens)
            found = suffix != NOT_FOUND
            shorter = np.where(found, below[np.where(found, suffix, 0)], 1e-9)
        weights, backoffs = order.weights.astype(np.float64), order.backoffs.astype(np.float64)
        p = weights + backoffs[owners] * shorter
        without = np.maximum((backoffs[owners] + weights) * shorter, 1e-30)
        with np.errstate(divide="ignore", invalid="ignore"):
            cost = joint[owners] * p * np.log(np.maximum(p, 1e-30) / without)
        costs.append(np.where(np.isfinite(cost), np.maximum(cost, 0), 0))
        suffixes, below, joint = suffix, p, joint[owners] * p
    return costs


def fit_into(build: Callable[[float], int], limit: int) -> float | None:
    """Return the smallest threshold for which `build` returns a size of at most `limit`; None if there is none.

    Args:
        build: function from a threshold, in nats per character, to a size in bytes.
        limit: the limit in bytes.
    """
    if build(0.0) <= limit:
        return 0.0
    low, high = -30.0, 0.0  # logarithms of thresholds
    if build(float(np.exp(high))) > limit:
        return None
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if build(float(np.exp(middle))) <= limit:
            high = middle
        else:
            low = middle
    return float(np.exp(high))
