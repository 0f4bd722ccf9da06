"""How likely a model finds a text, character by character, whatever filters it was drawn with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.sampling.state import Mark
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

PIECE = 4096
"""Characters that are read at a time."""


@torch.inference_mode()
def log_probs_of(
    model: LanguageModel, vocabulary: Vocabulary, mark: Mark, documents: Documents | None = None
) -> NDArray[np.float64]:
    """The log-probabilities of what was written, in nats; −∞ where the model gives none.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        mark: where the text is; it is read from its beginning.
        documents: what tells documents apart, if the model has read each from the beginning.
    """
    ids = np.array(mark.ids, np.int64)
    if not len(ids):
        return np.zeros(0)
    if documents is None:
        before = [vocabulary.start] * (mark.begin == 0)  # a prime is read as it is
        found = _of_one(model, np.concatenate((np.array(before, np.int64), ids)))
        return found[len(found) - len(ids) + mark.begin :]
    parts = np.split(ids, documents.starts(ids)[1:])
    return np.concatenate([_of_one(model, np.insert(part, 0, documents.start)) for part in parts])[mark.begin :]


def likeliest(
    model: LanguageModel, vocabulary: Vocabulary, marks: Sequence[Mark], documents: Documents | None = None
) -> int:
    """Which of some texts a model finds likeliest per character, for they may have ended early; the first of equals."""
    found = [log_probs_of(model, vocabulary, mark, documents) for mark in marks]
    return int(np.argmax([one.mean() if len(one) else -np.inf for one in found]))


def _of_one(model: LanguageModel, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) → (N − 1,): of all characters but the first."""
    state: State | None = None
    found = [np.zeros(0)]
    for begin in range(0, len(ids) - 1, PIECE):
        window = torch.from_numpy(ids[begin : begin + PIECE + 1])[None]
        log_probs, state = next_log_probs(model, window[:, :-1], window[:, 1:], state)
        found.append(log_probs[0].cpu().double().clamp(max=0).numpy())
    return np.concatenate(found)
