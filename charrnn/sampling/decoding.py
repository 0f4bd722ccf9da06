"""From logits to a character: pure functions, applied in this order: temperature, top-k, top-p, draw."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import Draw


def make_draw(config: SamplingConfig, generator: torch.Generator) -> Draw:
    """How to choose the next character.

    Args:
        config: temperature, top-k and top-p.
        generator: all randomness comes from it; it must be on the CPU, so that a seed means the same on every device.

    Returns:
        A function from logits (B, V) to tokens (B,) int64 on the CPU; it raises ModelError where no character has a
        probability.
    """

    def draw(logits: Tensor) -> Tensor:
        scores = logits.detach().double().cpu()
        if not torch.isfinite(scores.amax(-1)).all():
            raise ModelError("the model gives no probabilities: its weights are spoiled; train it again")
        if config.temperature == 0:
            return scores.argmax(-1)
        # The largest becomes 0, so that no temperature, however low, makes it infinite.
        scores = (scores - scores.amax(-1, keepdim=True)) / config.temperature
        if config.top_k is not None:
            scores = keep_top_k(scores, config.top_k)
        if config.top_p is not None:
            scores = keep_top_p(scores, config.top_p)
        return torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]

    return draw


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Leave the k largest logits of each row, and −∞ for the rest; by index, so that ties never keep more than k.

    Args:
        logits: (B, V).
        k: how many to keep; all, if there are fewer.
    """
    values, indices = logits.topk(min(k, logits.shape[-1]), dim=-1)
    return torch.full_like(logits, -torch.inf).scatter(-1, indices, values)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Leave the fewest likeliest characters of each row whose probabilities reach p (nucleus sampling).

    Holtzman et al. 2020, arXiv 1904.09751. The likeliest always stays.

    Args:
        logits: (B, V).
        p: more than 0, at most 1.
    """
    values, indices = logits.sort(dim=-1, descending=True)
    probabilities = values.softmax(-1)
    reached_before = probabilities.cumsum(-1) - probabilities >= p
    reached_before[:, 0] = False
    return torch.full_like(logits, -torch.inf).scatter(-1, indices, values.masked_fill(reached_before, -torch.inf))
