"""Scoring while the counts go on: each character is predicted from the training text and all that was read before it.

The text that is scored is known, so nothing has to be counted one by one. How often an n-gram came before a place is
its count in training plus its rank among its own occurrences; sorted by n-gram, or by context, these are running sums.
In the lower orders of Kneser-Ney an n-gram counts only where the longer one that it ends is new (update exclusion),
which is what a continuation count is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.ngram.counting.count import Counts
from charrnn.models.ngram.smoothing.methods import what_is_known
from charrnn.models.ngram.smoothing.observations import Events
from charrnn.models.ngram.trie import ABSENT, Ints, walk


def online_events(orders: Sequence[Counts], ids: NDArray[Any], vocab_size: int, occurrences: bool) -> Iterator[Events]:
    """A text as the counts that go on over it see it.

    Args:
        orders: the counts of the training text.
        ids: (N,) the text to score; nothing stands before it.
        vocab_size: V.
        occurrences: whether all orders count occurrences, not continuations in the lower ones.

    Yields:
        The events of order 1, 2, …
    """
    tokens = ids.astype(np.int64) + 1
    contexts = [np.concatenate(([0], found[0, :-1])) for found in walk(orders, tokens[None])[0]]
    entries = [order.find(before, tokens) for order, before in zip(orders, contexts, strict=True)]
    # A name for each context, and for each n-gram that ends at a place, whether training has it or not. The first
    # place stands for the padding.
    shorter = np.zeros(len(ids) + 1, np.int64)
    grams = _names(shorter, tokens, vocab_size)
    for k, order in enumerate(orders, 1):
        longer = _names(grams, tokens, vocab_size) if k < len(orders) else grams
        counted = np.ones(len(ids), bool)
        if k < len(orders) and not occurrences:
            first = np.zeros(len(ids), bool)
            first[np.unique(longer[1:], return_index=True)[1]] = True
            counted = first & (entries[k] == ABSENT)
        seen = entries[k - 1] != ABSENT
        counts = np.where(seen, order.counts[entries[k - 1]], 0) + _sums_before(grams[1:], counted)
        known = _known(order, contexts[k - 1])
        # An n-gram that is counted goes from the class of its count to the next.
        for i in range(3):
            change = (counts == i).astype(np.int64)
            if i < 2:
                change -= counts == i + 1
            known[i] += _sums_before(shorter[:-1], change * counted)
        known[3] += _sums_before(shorter[:-1], counted)
        rows = np.flatnonzero(known[3])
        arrays = rows, counts[rows].astype(np.float64), np.arange(len(rows)), known[:, rows]
        yield Events(*map(torch.from_numpy, arrays))
        shorter, grams = grams, longer


def _names(shorter: Ints, tokens: Ints, vocab_size: int) -> Ints:
    """A number for each n-gram, the same for the same ones, from those of the n-grams one shorter a place before."""
    keys = np.concatenate((shorter[:1] * (vocab_size + 1), shorter[:-1] * (vocab_size + 1) + tokens))
    names: Ints = np.unique(keys, return_inverse=True)[1]
    return names


def _known(order: Counts, contexts: Ints) -> NDArray[np.float64]:
    """(4, N) what the training text knows of each context; zeros where it was never seen."""
    nodes, of = np.unique(contexts, return_inverse=True)
    known = np.zeros((4, len(nodes)))
    some = nodes != ABSENT
    owners, children = order.children(nodes[some], len(order))
    known[:, some] = what_is_known(order.counts[children], owners, int(some.sum()))
    return known[:, of]


def _sums_before(groups: Ints, values: NDArray[Any]) -> Ints:
    """(N,): the sum of the values at earlier places of the same group."""
    by_group = np.argsort(groups, kind="stable")
    sorted_groups, sorted_values = groups[by_group], values[by_group].astype(np.int64)
    before = np.cumsum(sorted_values) - sorted_values
    firsts = np.flatnonzero(np.diff(sorted_groups, prepend=-1))
    sums = np.empty_like(before)
    sums[by_group] = before - np.repeat(before[firsts], np.diff(firsts, append=len(groups)))
    return sums
