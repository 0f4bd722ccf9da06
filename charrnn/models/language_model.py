"""The one interface: every model, counted or recurrent, takes characters and gives the odds of the next one.

Shape letters, used in all docstrings of the package:

    B  rows of a batch         T  time steps (characters)     V  vocabulary
    D  width of an input       H  width of a layer            S  width of a cell's state

Two questions have faster answers than the logits in some models: the log-probabilities of given characters
(`next_log_probs`), and one step of sampling (`make_stepper`). Each uses a faster way if there is one, and `__call__`
otherwise. Both ways must agree.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

State = tuple[Tensor, ...]
"""What a model remembers of the text so far; batch first, opaque outside the model."""

MAX_LOGITS = 1 << 24
"""Logits that are spread out at a time where a text is scored: 64 MB. A text may have 100,000 different characters."""


class LanguageModel(Protocol):
    """What the rest of the program knows of a model. A network must be in evaluation mode, but for training."""

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read characters and predict, after each of them, the next.

        Args:
            tokens: (B, T) int64, T ≥ 1, on any device.
            state: what an earlier call gave; None before the first character. It is not changed.

        Returns:
            logits: (B, T, V) float, on the model's device; logits[:, t] depend on the state and tokens[:, :t+1].
            state: after the last token.
        """


@runtime_checkable
class ScoresNext(Protocol):
    """A model with a faster way to score given characters than by all V logits."""

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See the function of the same name."""


class ScoresOnline(Protocol):
    """What can score a text while it learns from it."""

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """(N,) a text → (N − 1,) the log-probabilities of all its characters but the first, in nats."""


def next_log_probs(
    model: LanguageModel, tokens: Tensor, targets: Tensor, state: State | None = None
) -> tuple[Tensor, State]:
    """The log-probability of each target given the characters up to the token before it.

    Args:
        model: the model.
        tokens: (B, T) int64, the characters that are read.
        targets: (B, T) int64; targets[:, t] is scored after tokens[:, :t+1]. For a text: the tokens, one later.
        state: as for the model itself.

    Returns:
        (B, T) float, in nats, −inf where the model gives no probability at all; and the state after the last token.
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
