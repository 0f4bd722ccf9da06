"""Sorted tables of n-grams with their counts: made of n-grams in any order, cut by ranges of keys, merged.

Sorting and merging are shared by threads: each takes a range of keys.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.counting.keys import NgramKeys

MERGE_RANGES = 64
"""Parts of a merge: small enough to stay in the processor's cache."""
MIN_SHARED = 1 << 20
"""n-grams that are worth sharing between threads."""
SAMPLE_SIZE = 1 << 12
"""n-grams by which the bounds of ranges are chosen."""


@dataclass(frozen=True)
class NgramTable:
    """n-grams of one order, sorted, all different, and how often each occurs."""

    grams: NgramKeys
    counts: NDArray[Any]


def count_distinct(grams: NgramKeys) -> NgramTable:
    """The different n-grams among some that are in sorted runs, with their counts; the n-grams are overwritten."""
    ranges = workers() if len(grams) > MIN_SHARED else 1
    if ranges == 1:
        return count_runs(grams.sorted(in_runs=True))
    sample = np.sort(grams.words[0][:: max(1, len(grams) // SAMPLE_SIZE)])
    bounds = sample[np.linspace(0, len(sample), ranges + 1).astype(int)[1:-1]]

    def count_range(index: int) -> NgramTable:
        key = grams.words[0]
        inside = np.ones(len(grams), bool)
        if index > 0:
            inside &= key >= bounds[index - 1]
        if index < len(bounds):
            inside &= key < bounds[index]
        return count_runs(grams[inside].sorted(in_runs=True))

    with ThreadPoolExecutor(ranges) as pool:
        return concatenate_tables(list(pool.map(count_range, range(ranges))))


def count_runs(ordered: NgramKeys) -> NgramTable:
    """The different n-grams among sorted ones, with their counts."""
    firsts = ordered.first_of_runs()
    return NgramTable(ordered[firsts], compact(np.diff(firsts, append=len(ordered))))


def merge(tables: Sequence[NgramTable]) -> NgramTable:
    """Merge tables; the counts of an n-gram in several of them are added up.

    Each range of keys is merged for itself, so that threads can share the work.
    """
    if len(tables) == 1:
        return tables[0]
    largest = max(tables, key=lambda table: len(table.counts)).grams.words[0]
    bounds = largest[np.linspace(0, len(largest), MERGE_RANGES + 1).astype(int)[1:-1]]
    with ThreadPoolExecutor(workers()) as pool:
        ranges = list(pool.map(_merge, zip(*(split(table, bounds) for table in tables), strict=True)))
    return concatenate_tables(ranges)


def split(table: NgramTable, bounds: NDArray[np.uint64]) -> list[NgramTable]:
    """Cut a table into ranges of keys; all but the first begin at `bounds`, (R,), of the first words of the keys."""
    at = [0, *np.searchsorted(table.grams.words[0], bounds), len(table.counts)]
    return [NgramTable(table.grams[a:b], table.counts[a:b]) for a, b in pairwise(at)]


def _merge(tables: Sequence[NgramTable]) -> NgramTable:
    grams = NgramKeys.concatenate([table.grams for table in tables])
    by_key = grams.sorting()
    grams, counts = grams[by_key], np.concatenate([table.counts for table in tables])[by_key]
    firsts = grams.first_of_runs()
    return NgramTable(
        grams[firsts], compact(np.add.reduceat(counts, firsts, dtype=np.int64)) if len(firsts) else counts
    )


def concatenate_tables(ranges: Sequence[NgramTable]) -> NgramTable:
    """Concatenate tables that are ranges of keys, in order."""
    return NgramTable(
        NgramKeys.concatenate([part.grams for part in ranges]), np.concatenate([part.counts for part in ranges])
    )


def compact(counts: NDArray[np.int64]) -> NDArray[Any]:
    """Counts in half the memory, where they fit."""
    return counts.astype(np.int32) if counts.max(initial=0) <= np.iinfo(np.int32).max else counts


def workers() -> int:
    """Threads that sort: memory is the limit, not processors."""
    return min(4, os.cpu_count() or 1)
