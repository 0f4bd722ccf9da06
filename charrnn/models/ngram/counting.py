"""Every n-gram of a text with its counts, by sorting; knows nothing of probabilities.

The longest n-grams are counted in pieces of the text, which are merged. The orders below follow from them: without its
oldest character an n-gram is one of the order below, and the number of different n-grams that end alike is the number
of different characters before, which Kneser-Ney takes for a count.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.keys import Grams, windows
from charrnn.models.ngram.trie import Entries, smallest_integer, walk

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""

PIECE = 1 << 23
"""Characters sorted at a time."""
RANGES = 8
"""Parts of a merge."""
LEAST_SHARED = 1 << 20
"""n-grams that are worth sharing between threads."""
SAMPLE = 1 << 12


@dataclass(frozen=True)
class Table:
    """n-grams of one order, sorted, all different.

    Attributes:
        grams: E of them.
        counts: (E,) how often each occurs.
    """

    grams: Grams
    counts: NDArray[Any]


@dataclass(frozen=True)
class Counts(Entries):
    """The entries of one order with their counts.

    Attributes:
        counts: (E,) for the highest order, how often each occurs; below, how many different characters (or the
            padding) stand before it, or how often it occurs, as was asked for. 0 for the padding.
    """

    counts: NDArray[Any]


def count_ngrams(
    ids: NDArray[Any],
    vocab_size: int,
    order: int,
    occurrences: bool = False,
    progress: Progress | None = None,
) -> list[Counts]:
    """Count the n-grams of all orders from 1 to `order`.

    Args:
        ids: (N,) the text, N ≥ 1; it may be memory-mapped.
        vocab_size: V.
        order: length of the longest n-gram.
        occurrences: count how often n-grams occur in all orders, not what stands before them in the lower ones.
        progress: told the steps done, and of how many.

    Returns:
        The counts of order 1, 2, …
    """
    steps = -(-len(ids) // PIECE) + order
    report = progress or (lambda done, total: None)
    table = count_part(ids, 0, len(ids), vocab_size, order, lambda done, _: report(done, steps))
    return derive(table, [ids], occurrences, lambda k: report(steps - k + 1, steps))


def count_part(
    ids: NDArray[Any], begin: int, end: int, vocab_size: int, order: int, progress: Progress | None = None
) -> Table:
    """Count the n-grams of one order that end in a part of a text.

    Args:
        ids: (N,) the whole text: what stands before the part is read too.
        begin: the first place of the part.
        end: the place after its last.
        vocab_size: V.
        order: length of the n-grams.
        progress: told the pieces counted, and of how many.
    """
    begins = range(begin, max(end, begin + 1), PIECE)

    def count(low: int) -> Table:
        return _runs(windows(ids, low, min(low + PIECE, end), order, vocab_size).sorted())

    tables = []
    with ThreadPoolExecutor(workers()) as pool:
        for table in pool.map(count, begins):
            tables.append(table)
            if progress:
                progress(len(tables), len(begins))
    return merge(tables)


def merge(tables: Sequence[Table]) -> Table:
    """One table of several: what stands in more than one is added up.

    Each range of keys is merged for itself, so that threads can share the work.
    """
    if len(tables) == 1:
        return tables[0]
    largest = max(tables, key=lambda table: len(table.counts)).grams.words[0]
    bounds = largest[np.linspace(0, len(largest), RANGES + 1).astype(int)[1:-1]]
    with ThreadPoolExecutor(workers()) as pool:
        ranges = list(pool.map(_merge, zip(*(split(table, bounds) for table in tables), strict=True)))
    return joined(ranges)


def split(table: Table, bounds: NDArray[np.uint64]) -> list[Table]:
    """Cut a table into ranges of keys.

    Args:
        table: E n-grams.
        bounds: (R,) in order: where ranges begin, but for the first; compared with the first words of the keys.
    """
    at = [0, *np.searchsorted(table.grams.words[0], bounds), len(table.counts)]
    return [Table(table.grams[a:b], table.counts[a:b]) for a, b in pairwise(at)]


def _merge(tables: Iterable[Table]) -> Table:
    tables = list(tables)
    grams = Grams.concatenate([table.grams for table in tables])
    by_key = grams.sorting()
    grams, counts = grams[by_key], np.concatenate([table.counts for table in tables])[by_key]
    firsts = grams.first_of_runs()
    return Table(grams[firsts], np.add.reduceat(counts, firsts, dtype=counts.dtype) if len(firsts) else counts)


def _runs(ordered: Grams) -> Table:
    """The different ones of sorted n-grams, and how often each occurs."""
    firsts = ordered.first_of_runs()
    counts = np.diff(firsts, append=len(ordered))
    return Table(ordered[firsts], counts.astype(np.int32 if len(ordered) < 2**31 else np.int64))


def _distinct(grams: Grams) -> Table:
    """The different ones of n-grams in any order, and how often each stands there."""
    ranges = workers() if len(grams) > LEAST_SHARED else 1
    if ranges == 1:
        return _runs(grams.sorted())
    sample = np.sort(grams.words[0][:: max(1, len(grams) // SAMPLE)])
    bounds = sample[np.linspace(0, len(sample), ranges + 1).astype(int)[1:-1]]

    def one(which: int) -> Table:
        key = grams.words[0]
        inside = np.ones(len(grams), bool)
        if which > 0:
            inside &= key >= bounds[which - 1]
        if which < len(bounds):
            inside &= key < bounds[which]
        return _runs(grams[inside].sorted())

    with ThreadPoolExecutor(ranges) as pool:
        return joined(list(pool.map(one, range(ranges))))


def joined(ranges: Sequence[Table]) -> Table:
    """One table of several that follow each other, with no n-gram in two of them."""
    return Table(Grams.concatenate([one.grams for one in ranges]), np.concatenate([one.counts for one in ranges]))


def derive(
    table: Table, texts: Sequence[NDArray[Any]], occurrences: bool, done: Callable[[int], None] = lambda k: None
) -> list[Counts]:
    """The counts of all orders from those of the highest.

    Args:
        table: the n-grams of the highest order.
        texts: which were counted; only their ends are read.
        occurrences: see `count_ngrams`.
        done: told each order that is finished, from the highest to 1.
    """
    orders: list[Counts] = []
    grams, counts = table.grams.with_padding(), table.counts
    del table  # it may be large, and so may what follows: nothing is kept longer than it is needed
    while grams.order > 1:
        lower = _distinct(grams[1:].without_oldest())
        contexts, continuations = lower.grams.with_padding(), lower.counts
        del lower
        orders.append(_counts(grams, counts, _starts(grams.without_newest(), contexts)))
        done(grams.order)
        grams, counts = contexts, continuations
    orders.append(_counts(grams, counts, np.array([0, len(grams)])))
    orders.reverse()
    if occurrences:
        orders = _with_occurrences(orders, texts)
    done(1)
    return orders


def _counts(grams: Grams, counts: NDArray[Any], starts: NDArray[Any]) -> Counts:
    tokens = grams.newest().astype(smallest_integer(grams.base - 1))
    padding = np.zeros(1, counts.dtype)
    return Counts(tokens, starts.astype(smallest_integer(len(grams)), copy=False), np.concatenate((padding, counts)))


def _starts(contexts: Grams, lower: Grams) -> NDArray[Any]:
    """Where the children of each n-gram of the order below begin.

    Args:
        contexts: (E,) of the n-grams of an order, in their order.
        lower: (C,) the n-grams of the order below, which are their contexts; but a text's last one may be followed by
            nothing.
    """
    firsts = contexts.first_of_runs().astype(smallest_integer(len(contexts)))
    different, end = contexts[firsts], len(contexts)
    del contexts
    starts = np.full(len(lower) + 1, end, firsts.dtype)
    done = 0
    for missing in range(len(lower) - len(firsts) + 1):
        differ = different[done:].differ(lower[done + missing : len(firsts) + missing])
        place = done + int(differ.argmax()) if differ.any() else len(firsts)
        starts[done + missing : place + missing] = firsts[done:place]
        starts[place + missing] = firsts[place] if place < len(firsts) else end
        done = place
    return starts


def _with_occurrences(orders: list[Counts], texts: Sequence[NDArray[Any]]) -> list[Counts]:
    """The same with how often each n-gram occurs: once for each that goes on from it, and where a text ends."""
    done = orders[-1:]
    for k in range(len(orders) - 1, 0, -1):
        counts = done[-1].sum_children(done[-1].counts).astype(np.int64)
        for ids in texts:
            last = ids[max(0, len(ids) - k) :].astype(np.int64) + 1
            counts[walk(orders[: k + 1], last[None])[1][0, k]] += 1
        counts[0] = 0
        done.append(Counts(orders[k - 1].tokens, orders[k - 1].starts, counts))
    return done[::-1]


def workers() -> int:
    """Threads that sort: memory is the limit, not processors."""
    return min(4, os.cpu_count() or 1)
