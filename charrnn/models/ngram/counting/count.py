"""Every n-gram of a text with its counts, by sorting; knows nothing of probabilities.

The longest n-grams are counted in pieces of the text, which are merged. The orders below follow from them: without its
oldest character an n-gram is one of the order below, and the number of different n-grams that end alike is the number
of different characters before, which Kneser-Ney takes for a count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.counting.keys import Alphabet, Grams, windows
from charrnn.models.ngram.counting.tables import Table, distinct, merge, runs_of, workers
from charrnn.models.ngram.trie import Entries, smallest_integer, walk

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""

PIECE = 1 << 22
"""Characters sorted at a time."""


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
    return count_texts([ids], vocab_size, order, occurrences, progress)


def count_texts(
    texts: Sequence[NDArray[Any]],
    vocab_size: int,
    order: int,
    occurrences: bool = False,
    progress: Progress | None = None,
) -> list[Counts]:
    """Count the n-grams of several texts together; each begins with the padding.

    Args:
        texts: (N,) each, N ≥ 1.
        vocab_size: V.
        order: see count_ngrams.
        occurrences: see count_ngrams.
        progress: see count_ngrams.
    """
    steps, done = sum(-(-len(ids) // PIECE) for ids in texts) + order, count(1)
    report = progress or (lambda done, total: None)

    def step() -> None:
        report(next(done), steps)

    alphabet = Alphabet.of(texts, vocab_size, order)
    # No name for the table: it may be large, and is let go while the lower orders are derived.
    return derive(
        merge([count_part(ids, 0, len(ids), alphabet, order, step) for ids in texts]), texts, occurrences, step
    )


def count_part(
    ids: NDArray[Any], begin: int, end: int, alphabet: Alphabet, order: int, step: Callable[[], None] = lambda: None
) -> Table:
    """Count the n-grams of one order that end in a part of a text.

    Args:
        ids: (N,) the whole text: what stands before the part is read too.
        begin: the first place of the part.
        end: the place after its last.
        alphabet: of the text, and of all others that its table is merged with.
        order: length of the n-grams.
        step: called after each piece.
    """
    begins = range(begin, max(end, begin + 1), PIECE)

    def count_piece(low: int) -> Table:
        return runs_of(windows(ids, low, min(low + PIECE, end), order, alphabet).sorted())

    tables = []
    with ThreadPoolExecutor(workers()) as pool:
        for table in pool.map(count_piece, begins):
            tables.append(table)
            step()
    return merge(tables)


def derive(
    table: Table, texts: Sequence[NDArray[Any]], occurrences: bool, step: Callable[[], None] = lambda: None
) -> list[Counts]:
    """The counts of all orders from those of the highest.

    Args:
        table: the n-grams of the highest order.
        texts: which were counted; only their ends are read.
        occurrences: see `count_ngrams`.
        step: called after each order.
    """
    orders: list[Counts] = []
    grams, counts = table.grams.with_padding(), table.counts
    del table  # it may be large, and so may what follows: nothing is kept longer than it is needed
    while grams.order > 1:
        lower = distinct(grams[1:].without_oldest())
        contexts, continuations = lower.grams.with_padding(), lower.counts
        del lower
        orders.append(_counts(grams, counts, _starts(grams.without_newest(), contexts)))
        step()
        grams, counts = contexts, continuations
    orders.append(_counts(grams, counts, np.array([0, len(grams)])))
    orders.reverse()
    if occurrences:
        orders = _with_occurrences(orders, texts)
    step()
    return orders


def _counts(grams: Grams, counts: NDArray[Any], starts: NDArray[Any]) -> Counts:
    tokens = grams.alphabet.tokens_of(grams.newest())
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
