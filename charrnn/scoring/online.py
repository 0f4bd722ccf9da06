"""Online evaluation, in which models adapt to the text: n-gram models keep counting, networks use dynamic evaluation.

Dynamic evaluation (Krause et al. 2018) scores each segment with the current weights, and only then takes a gradient
step on that segment. So no character helps to predict itself; still, online scores are comparable only with each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from charrnn.checkpoint import Model
from charrnn.models.language_model import ScoresOnline, State
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.blend import blend_parts
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.online_blend import OnlineBlend
from charrnn.models.rnn.model import trainable_copy
from charrnn.progress import Progress

SEGMENT = 32
"""Number of characters between two updates."""
LEARNING_RATE = 3e-4
DECAY = 1e-3
"""Fraction by which each update moves the weights back toward the trained weights."""
RECENT_CHARACTERS, RECENT_ORDER = 200_000, 6
"""Length of the end of the training part that one part of an online blend counts, and its order."""
SQUARES_DECAY = 0.999
"""Decay of the running mean of the squared gradients."""


def supports_online(model: Model) -> bool:
    """Return whether a model supports online evaluation: all networks, and n-gram models with most smoothings."""
    if isinstance(model, MixtureModel) and not model.network:
        longest = model.ngrams[0]
        return isinstance(longest, NgramModel) and longest.config.method.supports_online
    return isinstance(model, nn.Module) or (isinstance(model, NgramModel) and model.config.method.supports_online)


def as_online_model(
    model: Model,
    train: NDArray[Any],
    counting: Progress | None = None,
    reading: Progress | None = None,
) -> ScoresOnline:
    """Return an adaptive version of a model, for online evaluation.

    Args:
        model: a network, or an n-gram model with a smoothing that supports online evaluation.
        train: (M,) the training text; an n-gram model stores no counts, so they are taken again.
        counting: progress callback for counting, in steps.
        reading: progress callback for dynamic evaluation, in characters.
    """
    if isinstance(model, NgramModel):
        return NgramCounts.of(train, model.vocab_size, model.config, counting)
    if isinstance(model, MixtureModel) and not model.network:
        return _online_blend(model, train, counting)
    assert isinstance(model, nn.Module)
    return DynamicEvaluation(model, reading)


def _online_blend(model: MixtureModel, train: NDArray[Any], counting: Progress | None) -> OnlineBlend:
    """Return a blend of n-grams that keep counting; one more part counts only the end of the training part."""
    exact = model.ngrams[0]
    assert isinstance(exact, NgramModel)
    recent = replace(exact.config, order=min(RECENT_ORDER, exact.config.order or RECENT_ORDER))
    folded = model.ngrams[-1]
    classes = folded.classes.numpy() if isinstance(folded, FoldedNgramModel) else None
    counts = [part.count(train, counting) for part in blend_parts(exact.config, exact.vocab_size, classes)]
    counts.insert(0, NgramCounts.of(train[-RECENT_CHARACTERS:], exact.vocab_size, recent))
    return OnlineBlend(counts, exact, classes)


class DynamicEvaluation:
    """Dynamic evaluation of a network, which is copied and not changed.

    Each update divides the gradient by its root mean square, and then decays the weights toward the trained weights
    (the paper's RMS rule, with mean squares from the text being read instead of the training text).
    """

    def __init__(self, model: nn.Module, progress: Progress | None = None) -> None:
        self.model, self.progress = model, progress
        self.vocab_size: int = model.vocab_size  # type: ignore[assignment]

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        device = next(self.model.parameters()).device
        model = trainable_copy(self.model, device)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
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
                for weight, trained_weight in zip(weights, trained, strict=True):
                    weight.lerp_(trained_weight, DECAY)
            state = tuple(part.detach() for part in state)
            if self.progress:
                self.progress(begin + len(window), len(ids))
        return log_probs
