"""From logits to a character: pure functions, applied in this order: temperature, top-k, top-p, draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import Draw


@dataclass
class Tempered:
    """Draw from p^(1 / temperature), made to sum to 1: a TemperedDraw.

    Args:
        temperature: more than 0.
        generator: all randomness comes from it; it must be on the CPU.
    """

    temperature: float
    generator: torch.Generator

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits (B, V) → tokens (B,)."""
        return draw_from(at_temperature(_scores(logits), self.temperature).softmax(-1), self.generator)

    def uniform(self, count: int) -> Tensor:
        """(count,) random numbers from 0 to 1, in double precision."""
        return torch.rand(count, generator=self.generator, dtype=torch.double)


def make_draw(config: SamplingConfig, generator: torch.Generator) -> Draw:
    """How to choose the next character.

    Args:
        config: temperature, top-k and top-p.
        generator: all randomness comes from it; it must be on the CPU, so that a seed means the same on every device.

    Returns:
        A function from logits (B, V) to tokens (B,) int64 on the CPU; it raises ModelError where no character has a
        probability.
    """
    if config.temperature == 0:
        return lambda logits: _scores(logits).argmax(-1)
    if config.top_k is None and config.top_p is None:
        return Tempered(config.temperature, generator)

    def draw(logits: Tensor) -> Tensor:
        scores = at_temperature(_scores(logits), config.temperature)
        if config.top_k is not None:
            scores = keep_top_k(scores, config.top_k)
        if config.top_p is not None:
            scores = keep_top_p(scores, config.top_p)
        return draw_from(scores.softmax(-1), generator)

    return draw


def at_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Logits (B, V), of which the largest becomes 0, so that no temperature, however low, makes it infinite."""
    return (logits - logits.amax(-1, keepdim=True)) / temperature


def draw_from(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """(B, V) → (B,): where a random number falls among the running sums.

    As `torch.multinomial`, in a third of the time for one row. What has probability 0 is never drawn.
    """
    sums = probabilities.cumsum(-1)
    random = torch.rand(len(sums), 1, generator=generator, dtype=sums.dtype) * sums[:, -1:]
    last = probabilities.shape[-1] - 1
    return torch.searchsorted(sums, random, right=True)[:, 0].clamp(max=last)


def _scores(logits: Tensor) -> Tensor:
    scores = logits.detach().double().cpu()
    if not math.isfinite(scores.amax(-1).sum()):
        raise ModelError("the model gives no probabilities: its weights are spoiled; train it again")
    return scores


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
