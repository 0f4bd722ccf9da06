"""Bits per character of documents, each read from the beginning: exact, and not one forward for each.

Every character counts, the first of a document too: it is predicted after the character that starts a text, as when one
is sampled. Short documents are rows of one batch, those of about one length together; of what is filled up nothing
counts. A long one is read by itself, in pieces, with its state carried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.kernels.thread_tuner import ThreadTuner, make_thread_tuner
from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.text.documents import TextSpan

CHUNK_CHARS = 1 << 14
"""Characters scored at a time."""
PlacedLogProbs = tuple[NDArray[np.int64], Tensor]
"""(n,) places of characters in the text, and (n,) their log-probabilities in nats."""
GROUPED_CHARS = 1 << 20
"""Characters of the documents among which those of about one length are found."""


def log_probs_of(model: LanguageModel, text: TextSpan) -> Iterator[PlacedLogProbs]:
    """The log-probabilities of all characters, some at a time, with their places, in any order.

    Args:
        model: a language model in evaluation mode.
        text: (N,) documents, N ≥ 1.
    """
    assert text.documents
    starts, ids, first, tuner = text.starts, text.ids, text.documents.start, make_thread_tuner()
    ends = np.append(starts[1:], len(ids))
    for group in _groups(starts, ends):
        for begins, lengths in _batches(starts[group], (ends - starts)[group]):
            if len(begins) == 1:
                document = ids[begins[0] : begins[0] + lengths[0]]
                yield from _of_one(model, document, first, int(begins[0]), tuner)
            else:
                yield _of_several(model, ids, begins, lengths, first, tuner)


def _groups(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[slice]:
    """Documents in their order, so many at a time that they have about GROUPED_CHARS characters."""
    begin = 0
    while begin < len(starts):
        end = int(np.searchsorted(ends, starts[begin] + GROUPED_CHARS, side="right"))
        end = max(end, begin + 1)
        yield slice(begin, end)
        begin = end


def _batches(
    begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Documents of about one length: as many as CHUNK_CHARS characters hold, and one at least."""
    order = np.argsort(lengths, kind="stable")[::-1]
    at = 0
    while at < len(order):
        batch = order[at : at + max(1, CHUNK_CHARS // int(lengths[order[at]]))]
        yield begins[batch], lengths[batch]
        at += len(batch)


def _of_one(
    model: LanguageModel, ids: NDArray[Any], start: int, at: int, tuner: ThreadTuner
) -> Iterator[PlacedLogProbs]:
    state: State | None = None
    before = start
    for begin in range(0, len(ids), CHUNK_CHARS):
        targets = torch.from_numpy(ids[begin : begin + CHUNK_CHARS].astype(np.int64))
        tokens = torch.cat((torch.tensor([before]), targets[:-1]))
        with tuner.piece(len(tokens)):
            log_probs, state = next_log_probs(model, tokens[None], targets[None], state)
        before = int(targets[-1])
        yield np.arange(at + begin, at + begin + len(targets)), log_probs.flatten()


def _of_several(
    model: LanguageModel,
    ids: NDArray[Any],
    begins: NDArray[np.int64],
    lengths: NDArray[np.int64],
    start: int,
    tuner: ThreadTuner,
) -> PlacedLogProbs:
    offsets = np.arange(lengths.max())
    places = (begins[:, None] + offsets).clip(max=len(ids) - 1)
    targets = torch.from_numpy(ids[places].astype(np.int64))
    tokens = torch.cat((torch.full((len(targets), 1), start), targets[:, :-1]), 1)
    with tuner.piece(tokens.numel()):
        log_probs, _ = next_log_probs(model, tokens, targets)
    inside = offsets < lengths[:, None]
    return places[inside], log_probs[torch.from_numpy(inside).to(log_probs.device)]
