"""The trie of all n-grams of a text, as flat arrays; independent of counts and probabilities.

The entries of order k, sorted, are the children of the entries of order k − 1; an entry's number is its index in this
order. The context of the last k characters is therefore found from the context of the last k − 1 characters one
position earlier, by searching its children for one character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
"""Arrays of int64."""
Words = NDArray[np.uint64]
"""Arrays of uint64 words, each of which holds several characters of an n-gram."""

NOT_FOUND = -1
"""The entry of an n-gram that does not occur."""


@dataclass(frozen=True)
class TrieLevel:
    """The n-grams of one order, in arrays that may be memory-mapped.

    Entry 0 consists of padding only; the first n-grams of a text start with it.

    Attributes:
        tokens: (E,) the last character of each n-gram, plus one; 0 is the padding.
        starts: (C + 1,) the index of each context's first child; the contexts are the entries of the order below (the
            empty context for order 1).
    """

    tokens: NDArray[Any]
    starts: NDArray[Any]

    def __len__(self) -> int:
        return len(self.tokens)

    def find(self, contexts: Ints, tokens: Ints) -> Ints:
        """Return the entry of each context with each token (arrays of the same shape); NOT_FOUND if there is none.

        Performs all binary searches at once.
        """
        entries = np.full(contexts.size, NOT_FOUND, np.int64)
        places = np.flatnonzero(contexts != NOT_FOUND)
        nodes = contexts.ravel()[places]
        low = self.starts[nodes].astype(np.int64)
        sizes = self.starts[nodes + 1] - low
        targets = tokens.ravel()[places].astype(self.tokens.dtype)
        left = sizes > 0
        while True:
            places, targets, low, sizes = places[left], targets[left], low[left], sizes[left]
            # The last child whose token is at most the target is among the `sizes` children from `low` on.
            while 2 * np.count_nonzero(left := sizes > 1) > len(sizes):
                half = sizes >> 1
                low += half * (self.tokens[low + half] <= targets)
                sizes -= half
            # Most searches are down to one child; the few others continue separately.
            hit = ~left
            hit[hit] = self.tokens[low[hit]] == targets[hit]
            entries[places[hit]] = low[hit]
            if not left.any():
                return entries.reshape(contexts.shape)

    def children(self, contexts: Ints, max_children: int) -> tuple[Ints, Ints]:
        """Return all children of the given contexts, one context after the other.

        Args:
            contexts: (N,) entries other than NOT_FOUND.
            max_children: the limit on children per context, because a damaged file may claim any number.

        Returns:
            for each child, the index of its context in `contexts`; and the child's entry.
        """
        first = self.starts[contexts].astype(np.int64)
        sizes = np.clip(self.starts[contexts + 1] - first, 0, max_children)
        # Count up from each context's first child.
        skipped = np.cumsum(sizes) - sizes
        return np.repeat(np.arange(len(contexts)), sizes), np.arange(sizes.sum()) + np.repeat(first - skipped, sizes)

    def sum_children(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum values (E,) over each context's children, (C,)."""
        sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
        of_children: NDArray[np.float64] = sums[self.starts[1:]] - sums[self.starts[:-1]]
        return of_children


def walk(orders: Sequence[TrieLevel], tokens: Ints, state: Ints | None = None) -> tuple[list[Ints], Ints]:
    """Find the contexts at each position of a batch of texts.

    Args:
        orders: the entries of order 1, 2, … n.
        tokens: (B, T) the characters, plus one.
        state: (B, n) the contexts of 0, 1, … n − 1 characters before the first token, NOT_FOUND for unseen ones; the
            padding at the start of a text by default.

    Returns:
        The entries of the contexts of 0, 1, … n − 1 characters that end at each position, (B, T) each; and the state
        after the last token.
    """
    if state is None:
        state = np.zeros((len(tokens), len(orders)), np.int64)
    contexts = [np.zeros(tokens.shape, np.int64)]
    for k, order in enumerate(orders[:-1]):
        before = np.concatenate((state[:, k : k + 1], contexts[-1][:, :-1]), axis=1)
        contexts.append(order.find(before, tokens))
    return contexts, np.stack([nodes[:, -1] for nodes in contexts], axis=1)


def smallest_integer(largest: int) -> type[np.integer[Any]]:
    """Return the smallest integer type that can hold a number and that all tensor libraries support."""
    for kind in (np.uint8, np.int16, np.int32):
        if largest <= np.iinfo(kind).max:
            return kind
    return np.int64
