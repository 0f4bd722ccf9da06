"""Any language models as one: the weighted mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.models.stepper import Logits, Stepper, Tokens
from charrnn.models.steppers import stepper


class BlendModel:
    """A language model of several with one vocabulary; its state is theirs, one after the other.

    Args:
        models: one at least.
        weights: of each, more than 0; they sum to 1.
    """

    def __init__(self, models: Sequence[LanguageModel], weights: Sequence[float]) -> None:
        self.models, self.log_weights = list(models), [math.log(weight) for weight in weights]
        self.vocab_size = models[0].vocab_size
        one = torch.zeros(1, 1, dtype=torch.int64)
        with torch.inference_mode():
            self._sizes = [len(model(one)[1]) for model in models]

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__; the logits are log-probabilities, on the CPU."""
        log_probs: list[Tensor] = []
        after: list[Tensor] = []
        for model, log_weight, before in zip(self.models, self.log_weights, self._parts(state), strict=True):
            logits, new = model(tokens, before)
            log_probs.append(torch.log_softmax(logits.float().cpu(), -1) + log_weight)
            after += new
        return torch.logsumexp(torch.stack(log_probs), 0), tuple(after)

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See the function of this name; n-grams need not spread out what is not asked for."""
        log_probs: list[Tensor] = []
        after: list[Tensor] = []
        for model, log_weight, before in zip(self.models, self.log_weights, self._parts(state), strict=True):
            found, new = next_log_probs(model, tokens, targets, before)
            log_probs.append(found.float().cpu() + log_weight)
            after += new
        return torch.logsumexp(torch.stack(log_probs), 0), tuple(after)

    @property
    def parameter_count(self) -> int:
        """How many numbers of all of them are learned by gradient."""
        return sum(getattr(model, "parameter_count", 0) for model in self.models)

    @property
    def entries(self) -> int:
        """How many n-grams all of them store."""
        return sum(getattr(model, "entries", 0) for model in self.models)

    def stepper(self, state: State | None, batch_size: int) -> BlendStepper:
        """See the function of this name."""
        pairs = zip(self.models, self._parts(state), strict=True)
        return BlendStepper([stepper(model, part, batch_size) for model, part in pairs], self.log_weights)

    def _parts(self, state: State | None) -> list[State | None]:
        if state is None:
            return [None] * len(self.models)
        ends = np.cumsum(self._sizes).tolist()
        return [state[end - size : end] for size, end in zip(self._sizes, ends, strict=True)]


class BlendStepper(Stepper):
    """The steppers of several models as one.

    Args:
        steppers: of each model.
        log_weights: of each.
    """

    def __init__(self, steppers: Sequence[Stepper], log_weights: Sequence[float]) -> None:
        self.steppers, self.log_weights = steppers, log_weights

    @property
    def state(self) -> State | None:
        """See Stepper."""
        parts: list[Tensor] = []
        for one in self.steppers:
            state = one.state
            if state is None:
                return None
            parts += state
        return tuple(parts)

    def read(self, tokens: Tokens) -> Logits:
        """See Stepper."""
        pairs = zip(self.steppers, self.log_weights, strict=True)
        log_probs: Logits = np.logaddexp.reduce([normal(one.read(tokens)) + weight for one, weight in pairs])
        return log_probs


def normal(logits: Logits) -> Logits:
    """Log-probabilities in double precision."""
    wide = logits.astype(np.float64)
    largest = wide.max(-1, keepdims=True)
    found: Logits = wide - largest - np.log(np.exp(wide - largest).sum(-1, keepdims=True))
    return found
