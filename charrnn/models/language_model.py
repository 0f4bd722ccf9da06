"""The interface of all models: read characters, return logits for the next one.

Shape letters, used in all docstrings of the package:

    B  rows of a batch         T  time steps (characters)     V  vocabulary size
    D  width of an input       H  width of a layer            S  size of a cell's state

Some models can compute two things faster than by all logits: the log-probabilities of given characters
(`next_log_probs`), and one step of sampling (`make_stepper`). Both use the faster way if there is one, otherwise
`__call__`; the results must agree.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

State = tuple[Tensor, ...]
"""A model's memory of the text so far: tensors with the batch first, otherwise opaque to other code."""

MAX_LOGITS = 1 << 24
"""The maximum number of logits held at a time during scoring (64 MB); a vocabulary may have 100,000 characters."""


class LanguageModel(Protocol):
    """A model that predicts the next character. Except in training, networks must be in evaluation mode."""

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read characters and predict the next one after each.

        Args:
            tokens: (B, T) int64, T ≥ 1, on any device.
            state: the state returned by an earlier call, not modified; None before the first character.

        Returns:
            logits: (B, T, V) float, on the model's device; logits[:, t] depend on the state and tokens[:, :t+1].
            state: after the last token.
        """


@runtime_checkable
class ScoresNext(Protocol):
    """A model that scores given characters faster than by computing all V logits."""

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See `next_log_probs` of this module."""


class ScoresOnline(Protocol):
    """A model that scores a text while learning from it."""

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-probabilities (N − 1,), in nats, of all characters of a text (N,) except the first."""


def next_log_probs(
    model: LanguageModel, tokens: Tensor, targets: Tensor, state: State | None = None
) -> tuple[Tensor, State]:
    """Compute the log-probability of each target, given the tokens up to its position.

    Args:
        model: the model.
        tokens: (B, T) int64, the characters to read.
        targets: (B, T) int64; targets[:, t] is scored after tokens[:, :t+1]. For a text, the tokens shifted by one.
        state: as for the model's `__call__`.

    Returns:
        (B, T) float, in nats, −inf for probability 0; and the state after the last token.
    """
    if isinstance(model, ScoresNext):
        return model.next_log_probs(tokens, targets, state)
    pieces = []
    length = max(1, MAX_LOGITS // (len(tokens) * model.vocab_size))
    for inputs, outputs in zip(torch.split(tokens, length, 1), torch.split(targets, length, 1), strict=True):
        logits, state = model(inputs, state)
        log_probs = torch.log_softmax(logits.float(), dim=-1)
        pieces.append(log_probs.gather(-1, outputs.to(logits.device)[..., None]).squeeze(-1))
    assert state is not None
    return torch.cat(pieces, dim=1), state
