"""How surprising each character of a text is: −ln p of each, given all before it. What scores and pictures are made of.

The first character of a text has nothing before it; every model is charged log V for it, as if it were drawn by lot.
Where documents are told apart, each is read from the beginning, see scoring/documents.py.
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
from charrnn.models.kernels.thread_tuner import make_thread_tuner
from charrnn.models.language_model import LanguageModel, ScoresNext, State, next_log_probs
from charrnn.progress import Progress
from charrnn.scoring.documents import log_probs_of
from charrnn.text.documents import TextSpan

CHUNK_CHARS = 4096
"""Characters scored at a time: enough to keep kernels busy, little enough for B · T · V logits."""
LARGE_CHUNK_CHARS = 1 << 16
"""The same for models that spread out no logits."""
NAN_MESSAGE = "the model's probabilities are not numbers (NaN); train it again with a lower --learning-rate"


@torch.inference_mode()
def surprisals(
    model: LanguageModel, text: TextSpan | NDArray[Any], progress: Progress | None = None
) -> NDArray[np.float64]:
    """The surprisal of every character of a text, statically: the model does not learn from it.

    Args:
        model: a language model in evaluation mode.
        text: (N,) a span, or ids.
        progress: progress callback, in characters.

    Returns:
        (N,) nats; infinite where the model gives no probability at all.

    Raises:
        ModelError: a probability is no number.
    """
    nats = np.empty(len(text))
    done = 0
    for places, log_probs in log_prob_pieces(model, TextSpan.of(text)):
        nats[places] = -log_probs.cpu().double().numpy()
        done += len(places)
        if progress:
            progress(done, len(text))
    return nats


def log_prob_pieces(
    model: LanguageModel, text: TextSpan, piece: int | None = None
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """The log-probabilities of all characters of a text, some at a time.

    Args:
        model: a language model in evaluation mode, and gradients should be off.
        text: (N,) the text.
        piece: characters at a time; it changes the speed, not the figures.

    Yields:
        (n,) places in the text, in order unless there are documents, and (n,) nats, at most 0.

    Raises:
        ModelError: a probability is no number.
    """
    pieces = log_probs_of(model, text) if text.documents and len(text) else _in_order(model, text.ids, piece)
    for places, log_probs in pieces:
        if log_probs.isnan().any():
            raise ModelError(NAN_MESSAGE)
        yield places, log_probs.clamp(max=0)  # rounding may make a certainty more than certain


def _in_order(model: LanguageModel, ids: NDArray[Any], piece: int | None) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
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
