"""The surprisal of each character of a text, −ln p given all characters before it: the basis of scores and pictures.

The first character of a text has no context; every model is charged log V for it, the cost of a uniform guess.

In a text of separate documents, each document is read from the initial state. Its first character is predicted, too,
from the start character that sampling uses. Short documents of similar lengths are batched, and padding is ignored; a
long document is read alone, in chunks, carrying the state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.errors import ModelError
from charrnn.models.hardware.thread_tuner import ThreadTuner, make_thread_tuner
from charrnn.models.language_model import LanguageModel, ScoresNext, State, next_log_probs
from charrnn.progress import Progress
from charrnn.text.documents import TextSpan

CHUNK_CHARS = 4096
"""Number of characters scored at a time: enough to keep kernels busy, few enough for B · T · V logits in memory."""
LARGE_CHUNK_CHARS = 1 << 16
"""Number of characters scored at a time by models that do not compute all logits."""
DOCUMENT_CHUNK_CHARS = 1 << 14
"""Number of characters scored at a time in a text of separate documents."""
GROUPED_CHARS = 1 << 20
"""Approximate number of characters in a group of documents, within which similar lengths are batched."""
NAN_MESSAGE = "the model produced NaN probabilities; train it again with a lower --learning-rate"

PlacedLogProbs = tuple[NDArray[np.int64], Tensor]
"""(n,) positions of characters in the text, and (n,) their log-probabilities in nats."""


@torch.inference_mode()
def surprisals(
    model: LanguageModel, text: TextSpan | NDArray[Any], progress: Progress | None = None
) -> NDArray[np.float64]:
    """Compute the surprisal of every character of a text (a span or ids), statically: the model does not adapt.

    Returns:
        (N,) surprisals in nats; infinite where the model assigns probability 0.

    Raises:
        ModelError: the model produced NaN.
    """
    nats = np.empty(len(text))
    done = 0
    for places, log_probs in log_prob_pieces(model, TextSpan.of(text)):
        nats[places] = -log_probs.cpu().double().numpy()
        done += len(places)
        if progress:
            progress(done, len(text))
    return nats


def log_prob_pieces(model: LanguageModel, text: TextSpan, piece: int | None = None) -> Iterator[PlacedLogProbs]:
    """Compute the log-probabilities of all characters, `piece` at a time; that affects the speed, not the values.

    Yields:
        (n,) positions in the text, in order unless there are separate documents, and (n,) log-probabilities in nats.

    Raises:
        ModelError: the model produced NaN.
    """
    pieces = _of_documents(model, text) if text.documents and len(text) else _in_order(model, text.ids, piece)
    for places, log_probs in pieces:
        yield places, checked(log_probs)


def checked(log_probs: Tensor) -> Tensor:
    """Return log-probabilities clamped to at most 0; raise ModelError if any is NaN."""
    if log_probs.isnan().any():
        raise ModelError(NAN_MESSAGE)
    return log_probs.clamp(max=0)  # rounding can push a probability slightly above 1


def _in_order(model: LanguageModel, ids: NDArray[Any], piece: int | None) -> Iterator[PlacedLogProbs]:
    piece = piece or (LARGE_CHUNK_CHARS if isinstance(model, ScoresNext) else CHUNK_CHARS)
    if len(ids):
        yield np.zeros(1, np.int64), torch.tensor([-math.log(model.vocab_size)], dtype=torch.float64)
    state: State | None = None
    tuner = make_thread_tuner()
    for begin in range(0, len(ids) - 1, piece):
        window = torch.from_numpy(ids[begin : begin + piece + 1].astype(np.int64))[None]
        with tuner.piece(window.numel()):
            log_probs, state = next_log_probs(model, window[:, :-1], window[:, 1:], state)
        yield np.arange(begin + 1, begin + window.shape[1]), log_probs[0]


def _of_documents(model: LanguageModel, text: TextSpan) -> Iterator[PlacedLogProbs]:
    assert text.documents
    starts, ids, start, tuner = text.starts, text.ids, text.documents.start, make_thread_tuner()
    ends = np.append(starts[1:], len(ids))
    for group in _groups(starts, ends):
        for begins, lengths in _batches(starts[group], (ends - starts)[group]):
            if len(begins) == 1:
                document = ids[begins[0] : begins[0] + lengths[0]]
                yield from _of_long_document(model, document, start, int(begins[0]), tuner)
            else:
                yield _of_batch(model, ids, begins, lengths, start, tuner)


def _groups(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[slice]:
    """Split the documents, in order, into groups of about GROUPED_CHARS characters."""
    begin = 0
    while begin < len(starts):
        end = max(begin + 1, int(np.searchsorted(ends, starts[begin] + GROUPED_CHARS, side="right")))
        yield slice(begin, end)
        begin = end


def _batches(
    begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Batch documents of similar lengths: at most DOCUMENT_CHUNK_CHARS characters, and at least one document."""
    order = np.argsort(lengths, kind="stable")[::-1]
    at = 0
    while at < len(order):
        batch = order[at : at + max(1, DOCUMENT_CHUNK_CHARS // int(lengths[order[at]]))]
        yield begins[batch], lengths[batch]
        at += len(batch)


def _of_long_document(
    model: LanguageModel, ids: NDArray[Any], start: int, at: int, tuner: ThreadTuner
) -> Iterator[PlacedLogProbs]:
    state: State | None = None
    before = start
    for begin in range(0, len(ids), DOCUMENT_CHUNK_CHARS):
        targets = torch.from_numpy(ids[begin : begin + DOCUMENT_CHUNK_CHARS].astype(np.int64))
        tokens = torch.cat((torch.tensor([before]), targets[:-1]))
        with tuner.piece(len(tokens)):
            log_probs, state = next_log_probs(model, tokens[None], targets[None], state)
        before = int(targets[-1])
        yield np.arange(at + begin, at + begin + len(targets)), log_probs.flatten()


def _of_batch(
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
