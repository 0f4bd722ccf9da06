"""From counts to probabilities: the form that all smoothings share.

    P_k(w | c) = weight(c, w) + backoff(c) · P_{k−1}(w | c without its oldest character)

and P_k = P_{k−1} where the context c was never seen; P_0 = 1 / V. The weight is 0 for n-grams that were never seen.
All smoothings but stupid back-off take from each count a discount D and add a concentration θ:

    weight = (count − D) / (total + θ)        backoff = (Σ D over the children of c + θ) / (total + θ)

They differ only in D (for counts of 1, of 2, of 3 and more) and θ: a smoothing's `Discounts`. Discount and
concentration together are Pitman and Yor's process (Teh 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.counting.tables import MIN_SHARED, workers
from charrnn.models.ngram.trie import Ints, TrieLevel, smallest_integer

Reals = NDArray[np.float32]

BLOCK_ENTRIES = 1 << 18
"""Entries smoothed at a time."""
MIN_PRUNED_ORDER = 3
"""The lowest order that is pruned: shorter n-grams are few."""

Discounts = Callable[[int, Tensor], Tensor]
"""Order and the statistics of C contexts, (4, C) → D_1, D_2, D_3 and θ, (4, C), all in double precision.

The statistics of a context are how many children have count 1, 2, and 3 or more, and the sum of the counts, which is
not 0; see `context_statistics`.
"""


@dataclass(frozen=True)
class BackoffLevel(TrieLevel):
    """The entries of one order with their part of the probabilities: arrays that may be memory-mapped.

    Attributes:
        weights: (E,) float32, see above.
        backoffs: (C,) float32, see above; 1 for contexts without children.
    """

    weights: Reals
    backoffs: Reals


def backoff_weights(
    discounts: Discounts, order: int, counts: Tensor, owners: Tensor, statistics: Tensor
) -> tuple[Tensor, Tensor]:
    """The weights of n-grams and the backoffs of their contexts.

    Args:
        discounts: of the smoothing.
        order: k.
        counts: (E,) of the n-grams, which may be 0.
        owners: (E,) the index of each n-gram's context.
        statistics: (4, C) of the contexts.

    Returns:
        (E,) and (C,).
    """
    parameters = discounts(order, statistics)
    by_count, concentration = torch.cat((torch.zeros_like(parameters[:1]), parameters[:3])), parameters[3]
    totals = statistics[3] + concentration
    backoffs = ((by_count[1:] * statistics[:3]).sum(0) + concentration) / totals
    taken = by_count.flatten().index_select(0, counts.clamp(max=3).long() * statistics.shape[1] + owners)
    return (counts - taken) / totals.index_select(0, owners), backoffs


def smooth(orders: Sequence[CountLevel], discounts: Discounts) -> list[BackoffLevel]:
    """Weights and backoffs of every order, from the counts of order 1, 2, …"""
    return [_smooth(k, order, discounts) for k, order in enumerate(orders, 1)]


def _smooth(k: int, order: CountLevel, discounts: Discounts) -> BackoffLevel:
    weights = np.empty(len(order), np.float32)
    backoffs = np.empty(len(order.starts) - 1, np.float32)

    def smooth_block(low: int, high: int) -> None:
        """The contexts from `low` to `high`."""
        starts = order.starts[low : high + 1]
        counts = order.counts[starts[0] : starts[-1]]
        owners = np.repeat(np.arange(high - low), np.diff(starts))
        statistics = context_statistics(counts, owners, high - low)
        # A context without children, or with the padding as its only child, has no statistics.
        empty = statistics[3] == 0
        statistics[0, empty] = statistics[3, empty] = 1
        arrays = map(torch.from_numpy, (counts.astype(np.float64), owners, statistics))
        block_weights, block_backoffs = backoff_weights(discounts, k, *arrays)
        weights[starts[0] : starts[-1]], backoffs[low:high] = block_weights.numpy(), block_backoffs.numpy()
        if empty.any():
            weights[starts[0] : starts[-1]][empty[owners]] = 0
            backoffs[low:high][empty] = 1

    # Blocks end where the children of a context end.
    cuts = np.unique(np.searchsorted(order.starts, np.arange(BLOCK_ENTRIES, len(order), BLOCK_ENTRIES)))
    blocks = list(pairwise([0, *cuts, len(backoffs)]))
    if len(order) < MIN_SHARED:
        for low, high in blocks:
            smooth_block(low, high)
    else:
        with ThreadPoolExecutor(workers()) as pool:
            list(pool.map(smooth_block, *zip(*blocks, strict=True)))
    return BackoffLevel(order.tokens, order.starts, weights, backoffs)


def context_statistics(counts: NDArray[Any], owners: Ints, contexts: int) -> NDArray[np.float64]:
    """(4, C): of the children of each context, how many have count 1, 2, and 3 or more; and the sum of the counts.

    `counts` (E,) are those of the children, and `owners` (E,) the context of each, from 0 to C − 1.
    """
    classes = np.bincount(4 * owners + np.minimum(counts, 3).astype(np.int64), minlength=4 * contexts).reshape(-1, 4)
    totals = np.bincount(owners, weights=counts, minlength=contexts)
    return np.stack((*classes.T[1:].astype(np.float64), totals))


def prune(orders: Sequence[BackoffLevel], counts: Sequence[CountLevel], max_count: int) -> list[BackoffLevel]:
    """Leave out n-grams of three characters and more with counts up to `max_count`, unless they are contexts of others.

    Their probability goes to the order below, so that all still sums to 1.
    """
    pruned: list[BackoffLevel] = []
    has_kept_children = np.zeros(len(counts[-1]), bool)
    for k in range(len(orders), 0, -1):
        order = orders[k - 1]
        kept = (counts[k - 1].counts > max_count) | has_kept_children
        kept[: 1 if k >= MIN_PRUNED_ORDER else None] = True
        before = np.concatenate(([0], np.cumsum(kept)))
        sizes = before[order.starts[1:]] - before[order.starts[:-1]]
        lost = order.sum_children(np.where(kept, 0, order.weights))
        starts = before[order.starts]
        pruned.append(
            BackoffLevel(
                order.tokens[kept],
                starts.astype(smallest_integer(int(starts[-1]))),
                order.weights[kept],
                (order.backoffs + lost).astype(np.float32),
            )
        )
        has_kept_children = sizes > 0
        if k < len(orders):  # the order above has these entries as contexts
            above = pruned[-2]
            pruned[-2] = BackoffLevel(
                above.tokens, np.append(above.starts[:-1][kept], above.starts[-1]), above.weights, above.backoffs[kept]
            )
    return pruned[::-1]


@dataclass(frozen=True)
class Observations:
    """N characters to be predicted, as the counts of one order see them.

    Attributes:
        rows: (M,) those of the N whose context was seen.
        counts: (M,) the counts of their n-grams, double precision; 0 where those were not seen.
        owners: (M,) the index of each character's context.
        statistics: (4, C) of the contexts.
    """

    rows: Tensor
    counts: Tensor
    owners: Tensor
    statistics: Tensor


def interpolate(orders: Iterable[Observations], discounts: Discounts, length: int, vocab_size: int) -> Tensor:
    """(N,) the probability of each of N characters, in double precision, from the observations of order 1, 2, …

    Gradients flow through the discounts.
    """
    probabilities = torch.full((length,), 1 / vocab_size, dtype=torch.double)
    for k, seen in enumerate(orders, 1):
        weights, backoffs = backoff_weights(discounts, k, seen.counts, seen.owners, seen.statistics)
        longer = weights + backoffs.index_select(0, seen.owners) * probabilities.index_select(0, seen.rows)
        probabilities = probabilities.index_copy(0, seen.rows, longer)
    return probabilities
