"""Sorted tables of n-grams and their counts: creating, splitting and merging.

Threads share the work of sorting and merging by ranges of keys.
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
"""The number of ranges in a merge; each should fit into the processor's cache."""
MIN_SHARED = 1 << 20
"""The number of n-grams from which threads share the work."""
SAMPLE_SIZE = 1 << 12
"""The number of n-grams sampled to choose the bounds of ranges."""


@dataclass(frozen=True)
class NgramTable:
    """The distinct n-grams of one order, sorted, and the number of occurrences of each."""

    grams: NgramKeys
    counts: NDArray[Any]


def count_distinct(grams: NgramKeys) -> NgramTable:
    """Count the distinct n-grams among n-grams in sorted runs; the input is overwritten."""
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
    """Count the distinct n-grams among sorted n-grams."""
    firsts = ordered.first_of_runs()
    return NgramTable(ordered[firsts], compact(np.diff(firsts, append=len(ordered))))


def merge(tables: Sequence[NgramTable]) -> NgramTable:
    """Merge tables; an n-gram in several tables gets the sum of its counts.

    Each range of keys is merged separately, so threads can share the work.
    """
    if len(tables) == 1:
        return tables[0]
    largest = max(tables, key=lambda table: len(table.counts)).grams.words[0]
    bounds = largest[np.linspace(0, len(largest), MERGE_RANGES + 1).astype(int)[1:-1]]
    with ThreadPoolExecutor(workers()) as pool:
        ranges = list(pool.map(_merge, zip(*(split(table, bounds) for table in tables), strict=True)))
    return concatenate_tables(ranges)


def split(table: NgramTable, bounds: NDArray[np.uint64]) -> list[NgramTable]:
    """Split a table into ranges of keys; `bounds` (R,) are the first words at which all ranges but the first start."""
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
    """Concatenate tables of consecutive ranges of keys."""
    return NgramTable(
        NgramKeys.concatenate([part.grams for part in ranges]), np.concatenate([part.counts for part in ranges])
    )


def compact(counts: NDArray[np.int64]) -> NDArray[Any]:
    """Return the counts in half the memory if they fit."""
    return counts.astype(np.int32) if counts.max(initial=0) <= np.iinfo(np.int32).max else counts


def workers() -> int:
    """Return the number of threads for sorting, which is limited by memory rather than processors."""
    return min(4, os.cpu_count() or 1)
