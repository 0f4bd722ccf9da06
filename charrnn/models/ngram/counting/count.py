"""Counting all n-grams of a text by sorting.

The longest n-grams are counted in chunks of the text, which are merged. The lower orders follow from them: an n-gram
without its oldest character belongs to the order below, and the number of distinct n-grams with the same ending is the
number of distinct characters before that ending: the continuation count of Kneser-Ney.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.counting.keys import KeyCodec, NgramKeys, windows
from charrnn.models.ngram.counting.tables import NgramTable, count_distinct, count_runs, merge, workers
from charrnn.models.ngram.trie import TrieLevel, smallest_integer, walk
from charrnn.progress import Progress, no_progress

CHUNK_CHARS = 1 << 22
"""The number of characters sorted at a time."""


@dataclass(frozen=True)
class CountLevel(TrieLevel):
    """The entries of one order with their counts.

    Attributes:
        counts: (E,) in the highest order, the number of occurrences; in lower orders, the number of distinct characters
            (or padding) before the n-gram, or its occurrences, see `count_ngrams`. 0 for the padding.
    """

    counts: NDArray[Any]


def count_ngrams(
    ids: NDArray[Any],
    vocab_size: int,
    order: int,
    occurrences: bool = False,
    progress: Progress = no_progress,
) -> list[CountLevel]:
    """Count the n-grams of all orders from 1 to `order`.

    Args:
        ids: (N,) the text, N ≥ 1; may be memory-mapped.
        vocab_size: V.
        order: the length of the longest n-grams.
        occurrences: whether to count occurrences in all orders, instead of continuations in the lower ones.
        progress: progress callback (steps, total steps).

    Returns:
        The counts of order 1, 2, …
    """
    step = step_counter(progress, -(-len(ids) // CHUNK_CHARS) + order)
    codec = KeyCodec.of(ids, vocab_size, order)
    # The table is not named: it may be large, and is freed while the lower orders are derived.
    return derive_orders(count_part(ids, 0, len(ids), codec, order, step), [ids], occurrences, step)


def step_counter(progress: Progress, steps: int) -> Callable[[], None]:
    """Return a function to call after each of `steps` steps, which reports the progress."""
    done = count(1)
    return lambda: progress(next(done), steps)


def count_part(
    ids: NDArray[Any], begin: int, end: int, codec: KeyCodec, order: int, step: Callable[[], None] = lambda: None
) -> NgramTable:
    """Count the n-grams of one order that end at positions `begin` to `end` − 1 of a text.

    Parts that will be merged must use the same codec; `step` is called after each chunk.
    """
    begins = range(begin, max(end, begin + 1), CHUNK_CHARS)

    def count_piece(low: int) -> NgramTable:
        return count_runs(windows(ids, low, min(low + CHUNK_CHARS, end), order, codec).sorted())

    tables = []
    with ThreadPoolExecutor(workers()) as pool:
        for table in pool.map(count_piece, begins):
            tables.append(table)
            step()
    return merge(tables)


def derive_orders(
    table: NgramTable, texts: Sequence[NDArray[Any]], occurrences: bool, step: Callable[[], None] = lambda: None
) -> list[CountLevel]:
    """Derive the counts of all orders from the table of the highest one; `step` is called after each order.

    `texts` are the counted texts, each preceded by padding; only their ends are read.
    """
    orders: list[CountLevel] = []
    grams, counts = table.grams.with_padding(), table.counts
    del table  # these tables may be large, so each is freed as soon as possible
    while grams.order > 1:
        lower = count_distinct(grams[1:].without_oldest())
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


def _counts(grams: NgramKeys, counts: NDArray[Any], starts: NDArray[Any]) -> CountLevel:
    tokens = grams.codec.tokens_of(grams.newest())
    padding = np.zeros(1, counts.dtype)
    return CountLevel(
        tokens, starts.astype(smallest_integer(len(grams)), copy=False), np.concatenate((padding, counts))
    )


def _starts(contexts: NgramKeys, lower: NgramKeys) -> NDArray[Any]:
    """Return (C + 1,) the index of each context's first child, given the (E,) contexts of all children.

    The (C,) n-grams of the order below are these contexts, except that the last one of a text may have no child.
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


def _with_occurrences(orders: list[CountLevel], texts: Sequence[NDArray[Any]]) -> list[CountLevel]:
    """Replace continuation counts by occurrences: those of all children, plus one where a text ends."""
    done = orders[-1:]
    for k in range(len(orders) - 1, 0, -1):
        counts = done[-1].sum_children(done[-1].counts).astype(np.int64)
        for ids in texts:
            last = ids[max(0, len(ids) - k) :].astype(np.int64) + 1
            counts[walk(orders[: k + 1], last[None])[1][0, k]] += 1
        counts[0] = 0
        done.append(CountLevel(orders[k - 1].tokens, orders[k - 1].starts, counts))
    return done[::-1]
