"""Counting with several processes (torchrun): each counts a part of the text, and together they merge.

The sorted tables of the highest order are exchanged by ranges of keys, and each process merges one range. Then the
first process puts the ranges together and derives the lower orders from them: continuation counts cannot be added up,
since two parts may have seen the same character before an n-gram.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from charrnn.models.ngram.counting.count import PIECE, Counts, Progress, count_part, derive
from charrnn.models.ngram.counting.keys import Alphabet, Grams
from charrnn.models.ngram.counting.tables import Table, compact, joined, merge, split

SAMPLE = 1 << 12
"""Keys that each process shows the others, to cut ranges of about the same size."""


def count_together(
    ids: NDArray[Any], vocab_size: int, order: int, occurrences: bool, progress: Progress | None = None
) -> list[Counts]:
    """As `count_ngrams`, by all processes of the default process group; all must call it with the same arguments.

    Args:
        ids: (N,) the whole text, of which each process counts a part.
        vocab_size: V.
        order: length of the longest n-gram.
        occurrences: see count_ngrams.
        progress: told the steps of this process, and of how many.

    Returns:
        The counts of order 1, 2, … in the first process; nothing in the others.
    """
    rank, ranks = dist.get_rank(), dist.get_world_size()
    begin, end = (len(ids) * which // ranks for which in (rank, rank + 1))
    steps, done = -(-(end - begin) // PIECE), count(1)
    step = (lambda: progress(next(done), steps)) if progress else (lambda: None)
    mine = count_part(ids, begin, end, Alphabet.of([ids], vocab_size, order), order, step)
    parts = split(mine, _bounds(mine))
    received = [parts[rank]]
    for to in range(ranks):
        if to == rank:
            received += [_receive(mine, sender) for sender in range(ranks) if sender != rank]
        else:
            _send(parts[to], to)
    merged = merge(received)
    if rank > 0:
        _send(merged, 0)
        return []
    whole = joined([merged, *(_receive(mine, sender) for sender in range(1, ranks))])
    return derive(whole, [ids], occurrences)


def _bounds(table: Table) -> NDArray[np.uint64]:
    """Where the ranges of all processes but the first begin: the same in all processes."""
    keys = table.grams.words[0]
    sample = np.zeros(SAMPLE, np.uint64)
    if len(keys):
        sample = keys[np.linspace(0, len(keys) - 1, SAMPLE).astype(int)]
    samples = [torch.zeros(SAMPLE, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(samples, torch.from_numpy(sample.view(np.int64)))
    together = np.sort(torch.cat(samples).numpy().view(np.uint64))
    return together[np.arange(1, len(samples)) * SAMPLE]


def _send(table: Table, to: int) -> None:
    dist.send(torch.tensor([len(table.counts)]), to)
    if len(table.counts):
        for word in table.grams.words:
            dist.send(torch.from_numpy(np.ascontiguousarray(word).view(np.int64)), to)
        dist.send(torch.from_numpy(table.counts.astype(np.int64)), to)


def _receive(like: Table, sender: int) -> Table:
    size = torch.zeros(1, dtype=torch.int64)
    dist.recv(size, sender)
    columns = torch.zeros(len(like.grams.words) + 1, int(size), dtype=torch.int64)
    if size:
        for column in columns:
            dist.recv(column, sender)
    *words, counts = columns.numpy()
    grams = Grams(tuple(word.view(np.uint64) for word in words), like.grams.digits, like.grams.alphabet)
    return Table(grams, compact(counts))
