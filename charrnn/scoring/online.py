"""Models that learn while they read: n-grams that go on counting, networks by dynamic evaluation."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import nn

from charrnn.checkpoint import Model
from charrnn.models.language_model import ScoresOnline
from charrnn.models.ngram.fit import Counted
from charrnn.models.ngram.model import NgramModel
from charrnn.progress import Progress
from charrnn.scoring.dynamic_evaluation import DynamicEvaluation


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

    Args:
        model: one that can, see `supports_online`.
        train: (M,) what it was fitted on; an n-gram model has no counts left, so they are counted again.
        counting: progress callback of counting, in steps.
        reading: progress callback of a network's reading, in characters.
    """
    if isinstance(model, NgramModel):
        return Counted.of(train, model.vocab_size, model.config, counting)
    assert isinstance(model, nn.Module)
    return DynamicEvaluation(model, reading)
