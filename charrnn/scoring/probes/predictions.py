"""A model's predictions at each character of a text: the likeliest characters, and the surprisal of the actual one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.errors import ModelError
from charrnn.models.language_model import MAX_LOGITS, LanguageModel, State
from charrnn.scoring.surprisal import NAN_MESSAGE
from charrnn.text.documents import TextSpan

CHUNK_CHARS = 1 << 11
"""Number of characters read at a time."""


@dataclass(frozen=True)
class Predictions:
    """A model's predictions at each of N characters, given all characters before.

    Attributes:
        likeliest: (N, K) ids, the likeliest first; −1 at a first character, which has no context.
        probabilities: (N, K) their probabilities.
        nats: (N,) surprisal of the actual character; log V at a first character, infinite for probability 0.
    """

    likeliest: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    nats: NDArray[np.float64]


def readings(text: TextSpan) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield the parts of a text that are read from the initial state: the whole text, or each document.

    Yields:
        (L,) ids, and the position of the first of them in the text. A document begins with the start character, whose
        position is one before the document: −1 for the first document.
    """
    if text.documents is None:
        yield text.ids.astype(np.int64), 0
        return
    starts = text.starts
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(text)], strict=True):
        yield np.concatenate(([text.documents.start], text.ids[begin:end].astype(np.int64))), begin - 1


@torch.inference_mode()
def predict(model: LanguageModel, text: TextSpan | NDArray[Any], count: int = 5) -> Predictions:
    """Compute a model's predictions for a text; the surprisals agree with `scoring.surprisal.surprisals`.

    Args:
        model: any language model.
        text: a span, or (N,) ids.
        count: K, the number of likeliest characters to keep; at most V.

    Raises:
        ModelError: the model produced NaN.
    """
    count = min(count, model.vocab_size)
    likeliest = np.full((len(text), count), -1, np.int64)
    probabilities = np.zeros((len(text), count))
    nats = np.full(len(text), math.log(model.vocab_size))
    piece = max(1, min(CHUNK_CHARS, MAX_LOGITS // model.vocab_size))
    for tokens, place in readings(TextSpan.of(text)):
        state: State | None = None
        for begin in range(0, len(tokens) - 1, piece):
            window = torch.from_numpy(tokens[begin : begin + piece + 1])
            logits, state = model(window[None, :-1], state)
            log_probs = torch.log_softmax(logits[0].cpu().double(), -1)
            places = slice(place + begin + 1, place + begin + len(window))
            best, ids = log_probs.topk(count)
            likeliest[places], probabilities[places] = ids.numpy(), best.exp().numpy()
            nats[places] = -log_probs.gather(1, window[1:, None])[:, 0].clamp(max=0).numpy()
    if np.isnan(nats).any():
        raise ModelError(NAN_MESSAGE)
    return Predictions(likeliest, probabilities, nats)
