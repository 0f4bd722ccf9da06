"""How likely a model finds a text, character by character, whatever filters it was drawn with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.sampling.writing import Mark

PIECE = 4096
"""Characters that are read at a time."""


@torch.inference_mode()
def log_probs_of(model: LanguageModel, mark: Mark) -> NDArray[np.float64]:
    """The log-probabilities of what was written, in nats; −∞ where the model gives none.

    Args:
        model: any language model; a network must be in evaluation mode.
        mark: where the text is; it is read from its beginning. The very first character of all has nothing before it,
            and none is returned for it.
    """
    state: State | None = None
    found = []
    ids = torch.tensor(mark.ids)[None]
    for begin in range(0, len(mark.ids) - 1, PIECE):
        window = ids[:, begin : begin + PIECE + 1]
        log_probs, state = next_log_probs(model, window[:, :-1], window[:, 1:], state)
        found.append(log_probs[0].double().cpu().clamp(max=0).numpy())
    return np.concatenate([np.zeros(0), *found])[max(mark.begin - 1, 0) :]


def likeliest(model: LanguageModel, marks: Sequence[Mark]) -> int:
    """Which of some texts a model finds likeliest per character, for they may have ended early; the first of equals."""
    means = [log_probs_of(model, mark).mean() if len(mark.ids) > mark.begin else -np.inf for mark in marks]
    return int(np.argmax(means))
