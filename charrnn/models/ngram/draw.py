"""Exact sampling from an n-gram model without computing the whole distribution.

P_k(w | c) = weight(c, w) + backoff(c) · P_{k−1}(w | c') is a mixture: with probability Σ weight, the character is one
of the children of c; otherwise it is drawn from the order below. Drawing from P exactly therefore needs only one random
number and the children of one or two contexts.

In all functions, `orders` are the trie levels of order 1, 2, … and `nodes` the entries of the contexts of 0, 1, …
characters at the end of a text, NOT_FOUND for unseen ones.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.trie import NOT_FOUND, Ints

MAX_REJECTIONS = 2
"""The number of rejected draws after which the whole distribution is computed."""
MAX_EXPONENT = 1.0
"""The largest exponent 1 / temperature − 1 for rejection sampling; lower temperatures reject too many draws."""
CACHE_SIZE = 1 << 12
"""The maximum number of cached distributions of short contexts."""
MAX_CACHED_ORDER = 4
"""Distributions are cached for contexts shorter than this number of characters."""

DistributionCache = dict[tuple[int, int], NDArray[np.float64]]
"""Distributions, (V + 1,), by the number of characters in the context and the context's entry."""
Arrays = tuple["memoryview[int]", "memoryview[int]", "memoryview[Any]", "memoryview[Any]"]
"""The tokens, starts, weights and backoffs of one order."""


def sample_backoff(
    orders: Sequence[BackoffLevel], nodes: Sequence[Ints], random: NDArray[np.float64], vocab_size: int
) -> Ints:
    """Draw a character for each of B texts: (B,) from contexts (B,) per order and random numbers (B,) on [0, 1)."""
    left = random.copy()
    drawn = np.full(len(random), NOT_FOUND, np.int64)
    for order, contexts in zip(reversed(orders), reversed(nodes), strict=True):
        rows = np.flatnonzero((drawn == NOT_FOUND) & (contexts != NOT_FOUND))
        if not len(rows):
            continue
        owners, children = order.children(contexts[rows], vocab_size + 1)
        sums = np.cumsum(order.weights[children], dtype=np.float64)
        sizes = np.bincount(owners, minlength=len(rows))
        ends = np.cumsum(sizes)
        before = np.concatenate(([0.0], sums))[ends - sizes]
        sums -= before[owners]
        totals = np.bincount(owners, weights=order.weights[children], minlength=len(rows))
        which = np.bincount(owners, weights=sums <= left[rows][owners], minlength=len(rows)).astype(np.int64)
        hit = (left[rows] < totals) & (sizes > 0)
        which = (ends - sizes + np.minimum(which, sizes - 1))[hit]
        drawn[rows[hit]] = order.tokens[children[which]].astype(np.int64) - 1
        rest = rows[~hit]
        left[rest] = (left[rest] - totals[~hit]) / np.maximum(1 - totals[~hit], np.finfo(float).tiny)
    uniform = np.minimum(np.maximum(left, 0) * vocab_size, vocab_size - 1).astype(np.int64)
    drawn = np.where(drawn == NOT_FOUND, uniform, drawn)
    if drawn.min() < 0 or drawn.max() >= vocab_size:
        raise ValueError(f"expected characters below {vocab_size}, found {drawn.min()} to {drawn.max()}")
    return drawn


class BackoffSampler:
    """A sampler for one text, in plain Python on flat arrays, because creating a tensor takes longer than a character.

    The samplers of one model share a cache of distributions of short contexts.
    """

    def __init__(
        self, orders: Sequence[BackoffLevel], vocab_size: int, nodes: list[int], cache: DistributionCache
    ) -> None:
        self.orders, self.vocab_size, self.nodes = orders, vocab_size, nodes
        self._arrays: list[Arrays] = [(o.tokens.data, o.starts.data, o.weights.data, o.backoffs.data) for o in orders]
        self._cache = cache
        self._after: tuple[int, list[int]] = NOT_FOUND, []  # the character drawn last, and its entries

    def draw(self, temperature: float, uniform: Callable[[], float]) -> int:
        """Draw a character from p^(1 / temperature), for the next call of `read`.

        For temperatures from 0.5 to 1, by rejection: a character drawn from p is accepted with probability
        p^(1 / temperature − 1), which gives the same distribution. After a few rejections the whole distribution is
        computed; since both ways have the same distribution, so does their combination.
        """
        power = 1 / temperature - 1
        for _ in range(MAX_REJECTIONS if 0 <= power <= MAX_EXPONENT else 0):
            token = self._descend(uniform())
            entries = self._entries(token)
            if power == 0 or uniform() < max(self._probability(entries), 0.0) ** power:
                self._after = token, entries
                return token
        p = self.probabilities()
        if not 0 < p.max() < math.inf:
            raise ValueError("all characters have probability 0")
        sums = ((p / p.max()) ** (1 + power)).cumsum()
        return min(int(sums.searchsorted(uniform() * sums[-1], side="right")), self.vocab_size - 1)

    def probabilities(self) -> NDArray[np.float64]:
        """Compute the probabilities (V,) of the next character; none is negative."""
        p: NDArray[np.float64] = np.maximum(self._distribution(len(self.orders) - 1)[1:], 0)
        return p

    def read(self, token: int) -> None:
        """Advance the contexts by one character."""
        entries = self._after[1] if self._after[0] == token else self._entries(token)
        self.nodes = [0, *entries[:-1]]
        self._after = NOT_FOUND, []

    def _entries(self, token: int) -> list[int]:
        """Return the entry of each context with a character."""
        entries, token = [], token + 1
        for node, (tokens, starts, _, _) in zip(self.nodes, self._arrays, strict=True):
            if node == NOT_FOUND:
                entries.append(NOT_FOUND)
                continue
            end = starts[node + 1]
            place = bisect_left(tokens, token, starts[node], end)
            entries.append(place if place < end and tokens[place] == token else NOT_FOUND)
        return entries

    def _descend(self, left: float) -> int:
        """Draw a character, given a random number on [0, 1)."""
        for node, (tokens, starts, weights, _) in zip(reversed(self.nodes), reversed(self._arrays), strict=True):
            if node == NOT_FOUND:
                continue
            children = self._children(starts, node)
            sums = list(accumulate(weights[children]))
            total = sums[-1] if sums else 0.0
            if left < total:
                token: int = tokens[children.start + bisect_right(sums, left)] - 1
                if not 0 <= token < self.vocab_size:
                    raise ValueError(f"expected a character below {self.vocab_size}, found {token}")
                return token
            if math.isnan(total):
                raise ValueError("expected numbers as weights, found NaN")
            left = (left - total) / (1 - total) if total < 1 else 0.0
        return min(int(left * self.vocab_size), self.vocab_size - 1)

    def _probability(self, entries: list[int]) -> float:
        """Compute the probability of a character from its entries."""
        p = 1 / self.vocab_size
        for node, entry, (_, _, weights, backoffs) in zip(self.nodes, entries, self._arrays, strict=True):
            if node != NOT_FOUND:
                p *= backoffs[node]
                if entry != NOT_FOUND:
                    p += weights[entry]
        return p

    def _distribution(self, k: int) -> NDArray[np.float64]:
        """Compute the probabilities (V + 1,) after the context of k characters; the padding comes first."""
        while k >= 0 and self.nodes[k] == NOT_FOUND:
            k -= 1
        if k < 0:
            return np.full(self.vocab_size + 1, 1 / self.vocab_size)
        node, order = self.nodes[k], self.orders[k]
        known = self._cache.get((k, node))
        if known is not None:
            return known
        _, starts, _, backoffs = self._arrays[k]
        children = self._children(starts, node)
        p: NDArray[np.float64] = self._distribution(k - 1) * backoffs[node]
        p[order.tokens[children]] += order.weights[children]
        if k < MAX_CACHED_ORDER and len(self._cache) < CACHE_SIZE:
            self._cache[k, node] = p
        return p

    def _children(self, starts: memoryview[int], node: int) -> slice:
        """Return the entries of a context's children, limited because a damaged file may claim any number."""
        first = starts[node]
        return slice(first, min(starts[node + 1], first + self.vocab_size + 1))
