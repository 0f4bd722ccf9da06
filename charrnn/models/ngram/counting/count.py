"""The counts of all n-grams of a text, by sorting; knows nothing of probabilities.

The longest n-grams are counted in pieces of the text, which are merged. The lower orders follow from them: an n-gram
without its oldest character is one of the order below, and the number of different n-grams with the same ending is the
number of different characters before it: its continuation count, which Kneser-Ney needs.
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
"""Characters sorted at a time."""


@dataclass(frozen=True)
class CountLevel(TrieLevel):
    """The entries of one order with their counts.

    Attributes:
        counts: (E,) in the highest order, how often each occurs; in lower ones, how many different characters (or the
            padding) come before it, or how often it occurs, see `count_ngrams`. 0 for the padding.
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
        ids: (N,) the text, N ≥ 1; it may be memory-mapped.
        vocab_size: V.
        order: length of the longest n-gram.
        occurrences: count occurrences in all orders, instead of continuations in the lower ones.
        progress: progress callback.

    Returns:
        The counts of order 1, 2, …
    """
    step = step_counter(progress, -(-len(ids) // CHUNK_CHARS) + order)
    codec = KeyCodec.of(ids, vocab_size, order)
    # No name for the table: it may be large, and is freed while the lower orders are derived.
    return derive_orders(count_part(ids, 0, len(ids), codec, order, step), [ids], occurrences, step)


def step_counter(progress: Progress, steps: int) -> Callable[[], None]:
    """What is called after each of `steps` steps, to report it."""
    done = count(1)
    return lambda: progress(next(done), steps)


def count_part(
    ids: NDArray[Any], begin: int, end: int, codec: KeyCodec, order: int, step: Callable[[], None] = lambda: None
) -> NgramTable:
    """Count the n-grams of one order that end at the places of a text from `begin` to before `end`.

    All parts that will be merged need the same codec; `step` is called after each piece.
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
    """The counts of all orders from the table of the highest; `step` is called after each.

    Of the texts that were counted, each behind a padding, only the ends are read.
    """
    orders: list[CountLevel] = []
    grams, counts = table.grams.with_padding(), table.counts
    del table  # each of these tables may be large, and is freed as soon as it can be
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
    """(C + 1,) where the children of each n-gram of the order below begin, from the (E,) contexts of all children.

    The (C,) n-grams of the order below are those contexts; but a text's last one may be followed by nothing.
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
    """The same with occurrences: an n-gram occurs once for each that continues it, and once where a text ends."""
    done = orders[-1:]
    for k in range(len(orders) - 1, 0, -1):
        counts = done[-1].sum_children(done[-1].counts).astype(np.int64)
        for ids in texts:
            last = ids[max(0, len(ids) - k) :].astype(np.int64) + 1
            counts[walk(orders[: k + 1], last[None])[1][0, k]] += 1
        counts[0] = 0
        done.append(CountLevel(orders[k - 1].tokens, orders[k - 1].starts, counts))
    return done[::-1]
