"""The common form of all smoothing methods: interpolation with the next lower order.

    P_k(w | c) = weight(c, w) + backoff(c) · P_{k−1}(w | c without its oldest character)

and P_k = P_{k−1} if the context c was never seen; P_0 = 1 / V. The weight of an unseen n-gram is 0. All methods except
stupid back-off subtract a discount D from each count and add a concentration θ:

    weight = (count − D) / (total + θ)        backoff = (Σ D over the children of c + θ) / (total + θ)

Methods differ only in θ and in D (for counts of 1, 2, and 3 or more): their `Discounts`. Discount and concentration
together are the Pitman-Yor process (Teh 2006).
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
"""Arrays of float32."""

BLOCK_ENTRIES = 1 << 18
"""The number of entries smoothed at a time."""
MIN_PRUNED_ORDER = 3
"""The lowest order that is pruned; there are few shorter n-grams."""

Discounts = Callable[[int, Tensor], Tensor]
"""A function from the order and the statistics of C contexts, (4, C), to D_1, D_2, D_3 and θ, (4, C), in float64.

The statistics of a context are the numbers of children with count 1, 2, and 3 or more, and the sum of the counts, which
is not 0; see `context_statistics`.
"""


@dataclass(frozen=True)
class BackoffLevel(TrieLevel):
    """The entries of one order with their weights and backoffs, in arrays that may be memory-mapped.

    Attributes:
        weights: (E,) float32, see the module's docstring.
        backoffs: (C,) float32; 1 for contexts without children.
    """

    weights: Reals
    backoffs: Reals


def backoff_weights(
    discounts: Discounts, order: int, counts: Tensor, owners: Tensor, statistics: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the weights of n-grams and the backoffs of their contexts.

    Args:
        discounts: the discounts of the smoothing method.
        order: k.
        counts: (E,) the counts of the n-grams, possibly 0.
        owners: (E,) the index of each n-gram's context.
        statistics: (4, C) the statistics of the contexts.

    Returns:
        weights (E,) and backoffs (C,).
    """
    parameters = discounts(order, statistics)
    by_count, concentration = torch.cat((torch.zeros_like(parameters[:1]), parameters[:3])), parameters[3]
    totals = statistics[3] + concentration
    backoffs = ((by_count[1:] * statistics[:3]).sum(0) + concentration) / totals
    taken = by_count.flatten().index_select(0, counts.clamp(max=3).long() * statistics.shape[1] + owners)
    return (counts - taken) / totals.index_select(0, owners), backoffs


def smooth(orders: Sequence[CountLevel], discounts: Discounts) -> list[BackoffLevel]:
    """Compute the weights and backoffs of all orders from the counts of order 1, 2, …"""
    return [_smooth(k, order, discounts) for k, order in enumerate(orders, 1)]


def _smooth(k: int, order: CountLevel, discounts: Discounts) -> BackoffLevel:
    weights = np.empty(len(order), np.float32)
    backoffs = np.empty(len(order.starts) - 1, np.float32)

    def smooth_block(low: int, high: int) -> None:
        """Smooth the contexts from `low` to `high`."""
        starts = order.starts[low : high + 1]
        counts = order.counts[starts[0] : starts[-1]]
        owners = np.repeat(np.arange(high - low), np.diff(starts))
        statistics = context_statistics(counts, owners, high - low)
        # The statistics are zero for a context without children, or with the padding as its only child.
        empty = statistics[3] == 0
        statistics[0, empty] = statistics[3, empty] = 1
        arrays = map(torch.from_numpy, (counts.astype(np.float64), owners, statistics))
        block_weights, block_backoffs = backoff_weights(discounts, k, *arrays)
        weights[starts[0] : starts[-1]], backoffs[low:high] = block_weights.numpy(), block_backoffs.numpy()
        if empty.any():
            weights[starts[0] : starts[-1]][empty[owners]] = 0
            backoffs[low:high][empty] = 1

    # Blocks end at the boundary of a context's children.
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
    """Return (4, C): each context's numbers of children with count 1, 2, and 3 or more, and the sum of their counts.

    `counts` (E,) are the children's counts, and `owners` (E,) their contexts, from 0 to C − 1.
    """
    classes = np.bincount(4 * owners + np.minimum(counts, 3).astype(np.int64), minlength=4 * contexts).reshape(-1, 4)
    totals = np.bincount(owners, weights=counts, minlength=contexts)
    return np.stack((*classes.T[1:].astype(np.float64), totals))


def prune(orders: Sequence[BackoffLevel], counts: Sequence[CountLevel], max_count: int) -> list[BackoffLevel]:
    """Drop n-grams of order 3 and more with counts up to `max_count`, unless they are contexts of others."""
    return keep_entries(orders, [order.counts > max_count for order in counts])


def keep_entries(orders: Sequence[BackoffLevel], wanted: Sequence[NDArray[np.bool_]]) -> list[BackoffLevel]:
    """Drop n-grams of order 3 and more, and return the rest.

    Their probability goes to the order below, so the distribution still sums to 1.

    Args:
        orders: the entries of order 1, 2, …
        wanted: (E,) for each order, the entries to keep; contexts of kept entries are kept too.
    """
    kept_orders: list[BackoffLevel] = []
    has_kept_children = np.zeros(len(wanted[-1]), bool)
    for k in range(len(orders), 0, -1):
        order = orders[k - 1]
        kept = wanted[k - 1] | has_kept_children
        kept[: 1 if k >= MIN_PRUNED_ORDER else None] = True
        before = np.concatenate(([0], np.cumsum(kept)))
        sizes = before[order.starts[1:]] - before[order.starts[:-1]]
        lost = order.sum_children(np.where(kept, 0, order.weights))
        starts = before[order.starts]
        kept_orders.append(
            BackoffLevel(
                order.tokens[kept],
                starts.astype(smallest_integer(int(starts[-1]))),
                order.weights[kept],
                (order.backoffs + lost).astype(np.float32),
            )
        )
        has_kept_children = sizes > 0
        if k < len(orders):  # the order above has these entries as contexts
            above = kept_orders[-2]
            kept_orders[-2] = BackoffLevel(
                above.tokens, np.append(above.starts[:-1][kept], above.starts[-1]), above.weights, above.backoffs[kept]
            )
    return kept_orders[::-1]


@dataclass(frozen=True)
class Observations:
    """N characters to predict, as seen by the counts of one order.

    Attributes:
        rows: (M,) the indices of the characters whose context was seen.
        counts: (M,) the counts of their n-grams in double precision; 0 for unseen ones.
        owners: (M,) the index of each character's context.
        statistics: (4, C) the statistics of the contexts.
    """

    rows: Tensor
    counts: Tensor
    owners: Tensor
    statistics: Tensor


def interpolate(orders: Iterable[Observations], discounts: Discounts, length: int, vocab_size: int) -> Tensor:
    """Compute the probability of each of N characters, in double precision, from the observations of order 1, 2, …

    Gradients flow through the discounts.
    """
    probabilities = torch.full((length,), 1 / vocab_size, dtype=torch.double)
    for k, observed in enumerate(orders, 1):
        weights, backoffs = backoff_weights(discounts, k, observed.counts, observed.owners, observed.statistics)
        longer = weights + backoffs.index_select(0, observed.owners) * probabilities.index_select(0, observed.rows)
        probabilities = probabilities.index_copy(0, observed.rows, longer)
    return probabilities
