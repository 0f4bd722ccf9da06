"""Models that learn while they read: n-grams that go on counting, networks by dynamic evaluation.

Dynamic evaluation (Krause et al. 2018): each segment is scored with the weights as they are, and only then learned
from; so no character is predicted with knowledge of itself, and the figure is an honest one, but an *online* one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from charrnn.checkpoint import Model
from charrnn.models.language_model import ScoresOnline, State
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import trainable_copy
from charrnn.progress import Progress

SEGMENT = 32
"""Characters between two updates."""
LEARNING_RATE = 3e-4
DECAY = 1e-3
"""The share of the way back to the trained weights that each update takes."""
SQUARES_DECAY = 0.999
"""How slowly the mean squares of the gradients change."""


def supports_online(model: Model) -> bool:
    """Whether a model can learn while it reads: all networks, and most n-grams."""
    return isinstance(model, nn.Module) or (isinstance(model, NgramModel) and model.config.method.supports_online)


def as_online_model(
    model: Model,
    train: NDArray[Any],
    counting: Progress | None = None,
    reading: Progress | None = None,
) -> ScoresOnline:
    """A model as one that learns while it reads: counts that go on, a network with dynamic evaluation.

    An n-gram model has no counts left, so the text that it was fitted on, (M,), is counted again.
    """
    if isinstance(model, NgramModel):
        return NgramCounts.of(train, model.vocab_size, model.config, counting)
    assert isinstance(model, nn.Module)
    return DynamicEvaluation(model, reading)


class DynamicEvaluation:
    """A network that learns from what it has read.

    An update divides the gradient by the root of its mean square, and then takes the weights a little back to where
    they came from (the paper's RMS rule, with mean squares of the text that is read instead of the training text).
    The network is copied, not changed.
    """

    def __init__(self, model: nn.Module, progress: Progress | None = None) -> None:
        self.model, self.progress = model, progress
        self.vocab_size: int = model.vocab_size  # type: ignore[assignment]

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        device = next(self.model.parameters()).device
        model = trainable_copy(self.model, device)
        weights = list(model.parameters())
        trained = [weight.detach().clone() for weight in weights]
        optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE, betas=(0.0, SQUARES_DECAY), fused=True)
        state: State | None = None
        log_probs = np.empty(len(ids) - 1)
        for begin in range(0, len(log_probs), SEGMENT):
            window = torch.from_numpy(ids[begin : begin + SEGMENT + 1].astype(np.int64)).to(device)
            logits, state = model(window[None, :-1], state)
            nats = functional.cross_entropy(logits[0].float(), window[1:], reduction="none")
            log_probs[begin : begin + len(nats)] = -nats.detach().cpu().numpy()
            optimizer.zero_grad(set_to_none=True)
            nats.mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                for weight, first in zip(weights, trained, strict=True):
                    weight.lerp_(first, DECAY)
            state = tuple(part.detach() for part in state)
            if self.progress:
                self.progress(begin + len(window), len(ids))
        return log_probs
