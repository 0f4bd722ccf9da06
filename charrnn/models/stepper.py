"""Steppers: each reads a model one character at a time, with the state in the form that one step is fastest in.

Steppers speak numpy, for a tensor costs more than a character. All must agree with the model's logits. A model with a
faster way than its logits has a method `make_stepper`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import LanguageModel, State

Tokens = NDArray[np.int64]
"""(B,)"""
Logits = NDArray[np.floating[Any]]
"""(B, V)"""

Sampler = Callable[[Logits], Tokens]
"""Logits (B, V) → tokens (B,): a way of choosing, made by `sampling/sampler.py`."""


class TemperatureSampler(ABC):
    """A draw that changes the distribution by a temperature alone: from p^(1 / temperature), made to sum to 1.

    A model that knows it need not spread out the distribution. The random numbers are from 0 to 1, 1 excluded.
    """

    temperature: float
    """More than 0."""

    @abstractmethod
    def __call__(self, logits: Logits) -> Tokens:
        """Logits (B, V) → tokens (B,); takes the next random number of each row."""

    @abstractmethod
    def uniform(self, row: int) -> float:
        """Take the next random number of a row."""

    @abstractmethod
    def uniforms(self) -> NDArray[np.float64]:
        """(B,): take the next random number of each row."""

    @abstractmethod
    def peek(self, count: int) -> NDArray[np.float64]:
        """(B, count): the numbers that come next; none is taken."""


class Stepper(ABC):
    """Reads B texts side by side, a character of each at a time."""

    @abstractmethod
    def read(self, tokens: Tokens) -> Logits:
        """Read the next character of each text, and give the logits of the one after it; good until the next call."""

    @property
    @abstractmethod
    def state(self) -> State | None:
        """After all that was read, as the model itself gives and takes it; None before the first character."""

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        """One step of sampling: read a character of each text and draw the next, perhaps faster than by the logits."""
        return draw(self.read(tokens))


def log_softmax(logits: Logits) -> Logits:
    """(B, V) log-probabilities in double precision; NaN where damaged weights give infinite logits, as in PyTorch."""
    scores = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # whoever draws from NaN says what is wrong
        scores -= scores.max(-1, keepdims=True)
    log_probs: Logits = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return log_probs


class PlainStepper(Stepper):
    """The stepper of any model: by its logits."""

    def __init__(self, model: LanguageModel, state: State | None) -> None:
        self.model, self._state = model, state

    @property
    def state(self) -> State | None:
        return self._state

    def read(self, tokens: Tokens) -> Logits:
        # Entered anew for each character: a mode that stays on between them would leak into the caller's code.
        with torch.inference_mode():
            logits, self._state = self.model(torch.from_numpy(tokens)[:, None], self._state)
            scores: Logits = logits[:, 0].float().cpu().numpy()
        return scores


@runtime_checkable
class MakesStepper(Protocol):
    """A model with a stepper of its own."""

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See the function of the same name."""


def make_stepper(model: LanguageModel, state: State | None = None, batch_size: int = 1) -> Stepper:
    """What reads and samples from a model, character by character: the fastest stepper that the model has.

    Args:
        model: its weights stay as they are.
        state: as for the model itself; None before the first character. It is not changed.
        batch_size: B.
    """
    if isinstance(model, MakesStepper):
        return model.make_stepper(state, batch_size)
    return PlainStepper(model, state)
