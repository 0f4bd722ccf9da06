"""Steppers: reading a model one character at a time, with the state in the form that is fastest for single steps.

Steppers use numpy, because creating a tensor takes longer than reading a character. Every stepper must agree with its
model's logits. A model that can be read faster than by its logits has a method `make_stepper`.
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
"""Token ids, (B,)."""
Logits = NDArray[np.floating[Any]]
"""Logits, (B, V)."""

Sampler = Callable[[Logits], Tokens]
"""A function from logits (B, V) to tokens (B,); made by `sampling/sampler.py`."""


class TemperatureSampler(ABC):
    """A sampler that only applies a temperature: it draws from p^(1 / temperature), normalized.

    A model that recognizes this sampler need not compute the whole distribution. Random numbers are uniform on [0, 1).
    """

    temperature: float
    """The sampling temperature, greater than 0."""

    @abstractmethod
    def __call__(self, logits: Logits) -> Tokens:
        """Draw tokens (B,) from logits (B, V), with the next random number of each row."""

    @abstractmethod
    def uniform(self, row: int) -> float:
        """Return and consume the next random number of a row."""

    @abstractmethod
    def uniforms(self) -> NDArray[np.float64]:
        """Return and consume the next random number of each row, (B,)."""

    @abstractmethod
    def peek(self, count: int) -> NDArray[np.float64]:
        """Return the next random numbers of each row, (B, count), without consuming them."""


class Stepper(ABC):
    """A reader of B texts in parallel, one character of each at a time."""

    @abstractmethod
    def read(self, tokens: Tokens) -> Logits:
        """Read the next character of each text and return the logits for the one after, valid until the next call."""

    @property
    @abstractmethod
    def state(self) -> State | None:
        """The state after all characters read so far, as the model defines it; None before the first character."""

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        """Read one character of each text and sample the next; may be faster than computing all logits."""
        return draw(self.read(tokens))


def log_softmax(logits: Logits) -> Logits:
    """Return log-probabilities (B, V) in double precision; NaN where damaged weights give infinite logits."""
    scores = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # the sampler reports NaN with a proper message
        scores -= scores.max(-1, keepdims=True)
    log_probs: Logits = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return log_probs


class PlainStepper(Stepper):
    """The default stepper of a model, by its logits."""

    def __init__(self, model: LanguageModel, state: State | None) -> None:
        self.model, self._state = model, state

    @property
    def state(self) -> State | None:
        return self._state

    def read(self, tokens: Tokens) -> Logits:
        # Entered for each character: inference mode left on between characters would leak into the caller's code.
        with torch.inference_mode():
            logits, self._state = self.model(torch.from_numpy(tokens)[:, None], self._state)
            scores: Logits = logits[:, 0].float().cpu().numpy()
        return scores


@runtime_checkable
class MakesStepper(Protocol):
    """A model with a stepper of its own."""

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See `make_stepper` of this module."""


def make_stepper(model: LanguageModel, state: State | None = None, batch_size: int = 1) -> Stepper:
    """Return the fastest stepper for reading and sampling from a model.

    Args:
        model: the model; its weights must not change while the stepper is in use.
        state: the state to continue from, unchanged by the stepper; None before the first character.
        batch_size: B, the number of texts.
    """
    if isinstance(model, MakesStepper):
        return model.make_stepper(state, batch_size)
    return PlainStepper(model, state)
