"""The likelihood of generated texts under their model, before any filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.sampling.state import GenerationState
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 4096
"""The number of characters read at a time."""


@torch.inference_mode()
def generated_log_probs(
    model: LanguageModel, vocabulary: Vocabulary, state: GenerationState, documents: Documents | None = None
) -> NDArray[np.float64]:
    """Compute the log-probabilities, in nats, of a text's generated characters; −∞ if impossible."""
    ids = np.array(state.ids, np.int64)
    if not len(ids):
        return np.zeros(0)
    if documents is None:
        before = [vocabulary.start] * (state.prompt_length == 0)  # a prompt is read without a start character
        log_probs = _log_probs_after_first(model, np.concatenate((np.array(before, np.int64), ids)))
        return log_probs[len(log_probs) - len(ids) + state.prompt_length :]
    parts = np.split(ids, documents.starts(ids)[1:])
    log_probs = np.concatenate([_log_probs_after_first(model, np.insert(part, 0, documents.start)) for part in parts])
    return log_probs[state.prompt_length :]


def likeliest(
    model: LanguageModel, vocabulary: Vocabulary, states: Sequence[GenerationState], documents: Documents | None = None
) -> int:
    """Return the index of the text with the highest mean log-probability per character; the first one of equals."""
    log_probs = [generated_log_probs(model, vocabulary, state, documents) for state in states]
    return int(np.argmax([part.mean() if len(part) else -np.inf for part in log_probs]))


def _log_probs_after_first(model: LanguageModel, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the log-probabilities of all characters except the first: (N,) → (N − 1,)."""
    state: State | None = None
    chunks = [np.zeros(0)]
    for begin in range(0, len(ids) - 1, CHUNK_CHARS):
        window = torch.from_numpy(ids[begin : begin + CHUNK_CHARS + 1])[None]
        log_probs, state = next_log_probs(model, window[:, :-1], window[:, 1:], state)
        chunks.append(log_probs[0].cpu().double().clamp(max=0).numpy())
    return np.concatenate(chunks)
