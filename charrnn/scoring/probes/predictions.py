"""What a model expects at each character of a text: the likeliest ones, and how surprising the one is that came."""

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
"""Characters that are read at a time."""


@dataclass(frozen=True)
class Predictions:
    """What was expected at each of N characters, given those before it.

    Attributes:
        likeliest: (N, K) ids, the likeliest first; −1 at a first character, before which there is nothing.
        probabilities: (N, K) theirs.
        nats: (N,) the surprisal of what came: log V at a first character; infinite where it had no probability.
    """

    likeliest: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    nats: NDArray[np.float64]


def readings(text: TextSpan) -> Iterator[tuple[NDArray[np.int64], int]]:
    """How a text is read where it is scored: as a whole, or each document by itself, after the start character.

    Yields:
        (L,) characters that are read from the empty state, and the place of the first of them in the text; of a start
        character it is that of the character before, or −1.
    """
    if text.documents is None:
        yield text.ids.astype(np.int64), 0
        return
    starts = text.starts
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(text)], strict=True):
        yield np.concatenate(([text.documents.start], text.ids[begin:end].astype(np.int64))), begin - 1


@torch.inference_mode()
def predictions(model: LanguageModel, text: TextSpan | NDArray[Any], count: int = 5) -> Predictions:
    """What any model expects of a text; it agrees with `surprisals`.

    The text is a span, or ids, (N,); `count` is K, or V if there are fewer characters.

    Raises:
        ModelError: a probability is no number.
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
