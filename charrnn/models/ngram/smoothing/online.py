"""Online scoring: each character is predicted from the counts of the training text and of the text read before it.

The whole text to score is known, so nothing is counted step by step. The count of an n-gram before a position is its
count in training plus its rank among its own occurrences; sorted by n-gram, or by context, these are running sums. In
the lower orders of Kneser-Ney, an n-gram only counts where the longer n-gram that it ends is new (update exclusion),
because these orders count continuations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.smoothing.backoff import Observations, context_statistics
from charrnn.models.ngram.trie import NOT_FOUND, Ints, walk


def online_observations(
    orders: Sequence[CountLevel], ids: NDArray[Any], vocab_size: int, occurrences: bool
) -> Iterator[Observations]:
    """Yield the observations of order 1, 2, … for a text whose characters update the counts as they are read.

    Args:
        orders: the counts of the training text.
        ids: (N,) the text to score, from its start.
        vocab_size: V.
        occurrences: whether all orders count occurrences, instead of continuations in the lower ones.
    """
    tokens = ids.astype(np.int64) + 1
    contexts = [np.concatenate(([0], nodes[0, :-1])) for nodes in walk(orders, tokens[None])[0]]
    entries = [order.find(nodes, tokens) for order, nodes in zip(orders, contexts, strict=True)]
    # Number all contexts, and all n-grams that end at each position, whether they occur in training or not. Index 0 is
    # the padding.
    shorter = np.zeros(len(ids) + 1, np.int64)
    grams = _numbered(shorter, tokens, vocab_size)
    for k, order in enumerate(orders, 1):
        longer = _numbered(grams, tokens, vocab_size) if k < len(orders) else grams
        counted = np.ones(len(ids), bool)
        if k < len(orders) and not occurrences:
            first = np.zeros(len(ids), bool)
            first[np.unique(longer[1:], return_index=True)[1]] = True
            counted = first & (entries[k] == NOT_FOUND)
        seen = entries[k - 1] != NOT_FOUND
        counts = np.where(seen, order.counts[entries[k - 1]], 0) + _sums_before(grams[1:], counted)
        statistics = _training_statistics(order, contexts[k - 1])
        # A count that increases moves the n-gram from one count class to the next.
        for i in range(3):
            change = (counts == i).astype(np.int64)
            if i < 2:
                change -= counts == i + 1
            statistics[i] += _sums_before(shorter[:-1], change * counted)
        statistics[3] += _sums_before(shorter[:-1], counted)
        rows = np.flatnonzero(statistics[3])
        arrays = rows, counts[rows].astype(np.float64), np.arange(len(rows)), statistics[:, rows]
        yield Observations(*map(torch.from_numpy, arrays))
        shorter, grams = grams, longer


def _numbered(shorter: Ints, tokens: Ints, vocab_size: int) -> Ints:
    """Number all n-grams, equal ones alike, from the numbers of those one shorter that end one position earlier."""
    keys = np.concatenate((shorter[:1] * (vocab_size + 1), shorter[:-1] * (vocab_size + 1) + tokens))
    numbers: Ints = np.unique(keys, return_inverse=True)[1]
    return numbers


def _training_statistics(order: CountLevel, contexts: Ints) -> NDArray[np.float64]:
    """Return (4, N) the statistics of each context in the training text; zeros for unseen contexts."""
    nodes, context_of = np.unique(contexts, return_inverse=True)
    statistics = np.zeros((4, len(nodes)))
    seen = nodes != NOT_FOUND
    owners, children = order.children(nodes[seen], len(order))
    statistics[:, seen] = context_statistics(order.counts[children], owners, int(seen.sum()))
    return statistics[:, context_of]


def _sums_before(groups: Ints, values: NDArray[Any]) -> Ints:
    """Return (N,) the sum of the values at earlier positions of the same group."""
    by_group = np.argsort(groups, kind="stable")
    sorted_groups, sorted_values = groups[by_group], values[by_group].astype(np.int64)
    before = np.cumsum(sorted_values) - sorted_values
    firsts = np.flatnonzero(np.diff(sorted_groups, prepend=-1))
    sums = np.empty_like(before)
    sums[by_group] = before - np.repeat(before[firsts], np.diff(firsts, append=len(groups)))
    return sums
