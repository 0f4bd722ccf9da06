"""Every n-gram of a text with its counts, by sorting; knows nothing of probabilities.

An n-gram is one integer: its characters, shifted up by one, are the digits of a number in base V + 1, the oldest first.
The digit 0 is the padding before the start of the text, so that the start is counted like any other place. Sorted, the
n-grams with the same context stand side by side; without their first digit they are the (n−1)-grams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import UsageError

Ints = NDArray[np.int64]
LARGEST_KEY = 2**63 - 1

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


@dataclass(frozen=True)
class Table:
    """All n-grams of one order, sorted.

    Attributes:
        keys: (E,) the n-grams as numbers; keys[0] is 0, all padding, which the text's first n-grams begin with.
        counts: (E,) how often each occurs; 0 for the padding.
        continuations: (E,) how many different characters (or the padding) stand before it; for the highest order,
            where nothing is known of what stands before, the counts.
    """

    keys: Ints
    counts: Ints
    continuations: Ints


def largest_order(vocab_size: int) -> int:
    """The longest n-gram that one 63-bit number holds."""
    order = 1
    while (vocab_size + 1) ** (order + 1) - 1 <= LARGEST_KEY:
        order += 1
    return order


def count_ngrams(ids: NDArray[Any], vocab_size: int, order: int, progress: Progress | None = None) -> list[Table]:
    """Count the n-grams of all orders from 1 to `order`.

    Args:
        ids: (N,) the text, N ≥ 1.
        vocab_size: V.
        order: length of the longest n-gram.
        progress: told the orders counted, and of how many.

    Returns:
        The tables of order 1, 2, …

    Raises:
        UsageError: n-grams of that order do not fit into 63 bits with that vocabulary.
    """
    if order > largest_order(vocab_size):
        raise UsageError(
            f"--order {order} is too large for a vocabulary of {vocab_size} characters; "
            f"say --order {largest_order(vocab_size)} or less"
        )
    base = vocab_size + 1
    keys, counts = _runs(np.sort(_windows(ids, base, order)))
    tables = [_table(keys, counts, counts)]
    for k in range(order - 1, 0, -1):
        if progress:
            progress(order - k, order)
        shorter = keys % base**k
        by_key = np.argsort(shorter, kind="stable")
        keys, continuations = _runs(shorter[by_key])
        ends = np.cumsum(continuations)
        counts = np.add.reduceat(counts[by_key], np.concatenate(([0], ends[:-1])))
        tables.append(_table(keys, counts, continuations))
    return tables[::-1]


def _windows(ids: NDArray[Any], base: int, order: int) -> Ints:
    """The n-gram that ends at each place of the text."""
    digits = np.zeros(len(ids) + order - 1, np.int64)
    digits[order - 1 :] = ids
    digits[order - 1 :] += 1
    keys = digits[: len(ids)].copy()
    for newer in range(1, order):
        keys *= base
        keys += digits[newer : newer + len(ids)]
    return keys


def _runs(ordered: Ints) -> tuple[Ints, Ints]:
    """The different values of a sorted array, and how often each occurs."""
    first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    starts = np.flatnonzero(first)
    return ordered[starts], np.diff(starts, append=len(ordered))


def _table(keys: Ints, counts: Ints, continuations: Ints) -> Table:
    padding = np.zeros(1, np.int64)
    return Table(
        np.concatenate((padding, keys)),
        np.concatenate((padding, counts)),
        np.concatenate((padding, continuations)),
    )
