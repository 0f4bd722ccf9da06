"""All n-grams of a text as a trie in flat arrays; knows nothing of counts or probabilities.

The entries of order k, sorted, are the children of the entries of order k − 1, and their number is their place in that
order. So the context of k characters that ends at a place is found from the one of k − 1 characters that ended at the
place before, by looking for one character among the children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

NOT_FOUND = -1
"""The entry of an n-gram that was never seen."""


@dataclass(frozen=True)
class TrieLevel:
    """The n-grams of one order: arrays that may be memory-mapped.

    Entry 0 is all padding; the first n-grams of a text begin with it.

    Attributes:
        tokens: (E,) the last character of each, shifted up by one; 0 is the padding.
        starts: (C + 1,) where the children of each context begin; the contexts are the entries of one order less,
            and for order 1 the empty one.
    """

    tokens: NDArray[Any]
    starts: NDArray[Any]

    def __len__(self) -> int:
        return len(self.tokens)

    def find(self, contexts: Ints, tokens: Ints) -> Ints:
        """The entry of each context with each token, both of one shape; NOT_FOUND where there is none.

        A binary search in all children's ranges at once.
        """
        entries = np.full(contexts.size, NOT_FOUND, np.int64)
        places = np.flatnonzero(contexts != NOT_FOUND)
        nodes = contexts.ravel()[places]
        low = self.starts[nodes].astype(np.int64)
        sizes = self.starts[nodes + 1] - low
        wanted = tokens.ravel()[places].astype(self.tokens.dtype)
        left = sizes > 0
        while True:
            places, wanted, low, sizes = places[left], wanted[left], low[left], sizes[left]
            # The last child whose token is not larger than the wanted one is among the `sizes` from `low` on.
            while 2 * np.count_nonzero(left := sizes > 1) > len(sizes):
                half = sizes >> 1
                low += half * (self.tokens[low + half] <= wanted)
                sizes -= half
            # Most are down to one child; the few others go on alone.
            hit = ~left
            hit[hit] = self.tokens[low[hit]] == wanted[hit]
            entries[places[hit]] = low[hit]
            if not left.any():
                return entries.reshape(contexts.shape)

    def children(self, contexts: Ints, max_children: int) -> tuple[Ints, Ints]:
        """All children of some contexts, one after the other.

        Args:
            contexts: (N,) none of them NOT_FOUND.
            max_children: a limit on the children of each, since a damaged file may say that there are many more.

        Returns:
            for each child, the index of its context in `contexts`; and its entry.
        """
        first = self.starts[contexts].astype(np.int64)
        sizes = np.clip(self.starts[contexts + 1] - first, 0, max_children)
        # Count up from each context's first child.
        skipped = np.cumsum(sizes) - sizes
        return np.repeat(np.arange(len(contexts)), sizes), np.arange(sizes.sum()) + np.repeat(first - skipped, sizes)

    def sum_children(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(E,) → (C,): the sum over each context's children."""
        sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
        of_children: NDArray[np.float64] = sums[self.starts[1:]] - sums[self.starts[:-1]]
        return of_children


def walk(orders: Sequence[TrieLevel], tokens: Ints, state: Ints | None = None) -> tuple[list[Ints], Ints]:
    """The contexts at each place of some texts.

    Args:
        orders: the entries of order 1, 2, … n.
        tokens: (B, T) the characters, shifted up by one.
        state: (B, n) the contexts of 0, 1, … n − 1 characters before the first, NOT_FOUND where one was never seen; the
            padding before a text, if not given.

    Returns:
        The entries of the contexts of 0, 1, … n − 1 characters that end at each place, (B, T) each; and the state
        after the last.
    """
    if state is None:
        state = np.zeros((len(tokens), len(orders)), np.int64)
    contexts = [np.zeros(tokens.shape, np.int64)]
    for k, order in enumerate(orders[:-1]):
        before = np.concatenate((state[:, k : k + 1], contexts[-1][:, :-1]), axis=1)
        contexts.append(order.find(before, tokens))
    return contexts, np.stack([nodes[:, -1] for nodes in contexts], axis=1)


def smallest_integer(largest: int) -> type[np.integer[Any]]:
    """The smallest integer type that holds the number and that every tensor library knows."""
    for kind in (np.uint8, np.int16, np.int32):
        if largest <= np.iinfo(kind).max:
            return kind
    return np.int64
