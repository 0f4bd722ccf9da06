"""Prune rare n-grams of a smoothed model; their probability goes to the order below, so that all still sums to 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.trie import smallest_integer

MIN_PRUNED_ORDER = 3
"""The lowest order that is pruned: shorter n-grams are few."""


def prune(orders: Sequence[BackoffLevel], counts: Sequence[CountLevel], max_count: int) -> list[BackoffLevel]:
    """Leave out n-grams of three characters and more with low counts, unless they are contexts of others.

    Args:
        orders: the entries of order 1, 2, …
        counts: their counts, of continuations in the lower orders of Kneser-Ney.
        max_count: the highest count that is left out.
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
