"""Counting with several processes (torchrun): each counts a part of the text, then they merge the parts.

The sorted tables of the highest order are exchanged by ranges of keys, and each process merges one range. Rank 0 then
concatenates the ranges and derives the lower orders. Continuation counts cannot be added up, because the same character
may precede an n-gram in two parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from charrnn.models.ngram.counting.count import CHUNK_CHARS, CountLevel, count_part, derive_orders, step_counter
from charrnn.models.ngram.counting.keys import KeyCodec, NgramKeys
from charrnn.models.ngram.counting.tables import NgramTable, compact, concatenate_tables, merge, split
from charrnn.progress import Progress, no_progress

SAMPLE_SIZE = 1 << 12
"""The number of keys that each process shares with all others, to choose ranges of similar size."""


def count_distributed(
    ids: NDArray[Any], vocab_size: int, order: int, occurrences: bool, progress: Progress = no_progress
) -> list[CountLevel]:
    """Count like `count_ngrams`, with each process of the default group counting a part of the text.

    All processes must pass the same arguments; `progress` reports this process's own work.

    Returns:
        The counts of order 1, 2, … in rank 0; an empty list in other ranks.
    """
    rank, ranks = dist.get_rank(), dist.get_world_size()
    begin, end = (len(ids) * place // ranks for place in (rank, rank + 1))
    step = step_counter(progress, -(-(end - begin) // CHUNK_CHARS))
    table = count_part(ids, begin, end, KeyCodec.of(ids, vocab_size, order), order, step)
    parts = split(table, _bounds(table))
    received = [parts[rank]]
    for to in range(ranks):
        if to == rank:
            received += [_receive(table, sender) for sender in range(ranks) if sender != rank]
        else:
            _send(parts[to], to)
    merged = merge(received)
    if rank > 0:
        _send(merged, 0)
        return []
    whole = concatenate_tables([merged, *(_receive(table, sender) for sender in range(1, ranks))])
    return derive_orders(whole, [ids], occurrences)


def _bounds(table: NgramTable) -> NDArray[np.uint64]:
    """Return the start of each process's range except the first; equal in all processes."""
    keys = table.grams.words[0]
    sample = np.zeros(SAMPLE_SIZE, np.uint64)
    if len(keys):
        sample = keys[np.linspace(0, len(keys) - 1, SAMPLE_SIZE).astype(int)]
    samples = [torch.zeros(SAMPLE_SIZE, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(samples, torch.from_numpy(sample.view(np.int64)))
    keys = np.sort(torch.cat(samples).numpy().view(np.uint64))
    return keys[np.arange(1, len(samples)) * SAMPLE_SIZE]


def _send(table: NgramTable, to: int) -> None:
    dist.send(torch.tensor([len(table.counts)]), to)
    if len(table.counts):
        for word in table.grams.words:
            dist.send(torch.from_numpy(np.ascontiguousarray(word).view(np.int64)), to)
        dist.send(torch.from_numpy(table.counts.astype(np.int64)), to)


def _receive(like: NgramTable, sender: int) -> NgramTable:
    size = torch.zeros(1, dtype=torch.int64)
    dist.recv(size, sender)
    columns = torch.zeros(len(like.grams.words) + 1, int(size), dtype=torch.int64)
    if size:
        for column in columns:
            dist.recv(column, sender)
    *words, counts = columns.numpy()
    grams = NgramKeys(tuple(word.view(np.uint64) for word in words), like.grams.digits, like.grams.codec)
    return NgramTable(grams, compact(counts))
