"""N-gram models and embeddings of n-grams made small enough: what changes the distribution least goes first.

For n-gram models, the change is measured by relative entropy (Stolcke 1998, "Entropy-based pruning of backoff language
models"): how often the model itself would write the n-gram, times the logarithm of how much less likely it becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import keep_entries
from charrnn.models.ngram.trie import NOT_FOUND, Ints
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import UNUSED

SEARCH_STEPS = 12
"""The number of thresholds tried."""
KEY_BYTES = 8
"""The number of bytes of the key of an embedding."""
UNSEEN = 1e-3
"""The number of times that an n-gram counts which the text does not have."""


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
        starts = order.starts.astype(np.int64)
        owners = np.repeat(np.arange(len(starts) - 1), starts[1:] - starts[:-1])
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


def prune_rows(networks: Sequence[RecurrentModel], ids: NDArray[np.int64], max_bytes: int, width: int) -> float | None:
    """Set embeddings of n-grams to 0 until the others take at most `max_bytes`, which leaves them out of a page.

    Those stay whose sum of squares over a text is the largest.

    Args:
        networks: the networks, which are changed.
        ids: (N,) a text like those that the networks will read.
        max_bytes: the limit in bytes, for all networks together.
        width: the number of bytes of a weight.

    Returns:
        The share of embeddings that are left; None if there are none.
    """
    tables = [network.ngrams for network in networks if network.ngrams is not None]
    left = total = 0
    for table in tables:
        digits = torch.cat((torch.zeros(1, table.state_size, dtype=torch.int64), torch.from_numpy(ids)[None] + 1), 1)
        uses = torch.bincount(table.rows(digits).flatten(), minlength=len(table.keys))
        gains = (uses + UNSEEN) * table.weight.detach().square().sum(1)
        used = int((table.keys != UNUSED).sum()) - 1
        count = min(used, max_bytes // len(tables) // (table.weight.shape[1] * width + KEY_BYTES))
        if count < used:
            with torch.no_grad():
                table.weight[gains.argsort(descending=True)[count:]] = 0
        left, total = left + count, total + used
    return left / total if total else None


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
