"""Losses of half precision, scaled so that small gradients are not lost (Micikevicius et al. 2018).

What `torch.amp.GradScaler` does, with one decision for all optimizers: it decides for each, and where one is left out
and the other is not, limiting the norm of both has by then made the other's gradients no numbers. And it waits for the
device where an optimizer is not one of PyTorch's fused ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FIRST = 2.0**16
GROWTH, BACKOFF, GROWTH_STEPS = 2.0, 0.5, 2000


class LossScale:
    """The factor of the losses: halved when a gradient is too large, doubled when none was for 2000 steps.

    Args:
        device: where losses are.
    """

    def __init__(self, device: torch.device) -> None:
        self.factor = torch.full((), FIRST, device=device)
        self.good_steps = torch.zeros((), dtype=torch.int32, device=device)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Gradients of a loss, at their own size.

        Args:
            loss: a scalar with a graph.
            parameters: leaves, whose gradients are found.

        Returns:
            a scalar on the device: 1 if a gradient is no number, and the step is to be left out; else 0.
        """
        (loss * self.factor).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        found_inf = torch.zeros_like(self.factor)
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found_inf, self.factor.reciprocal())
        torch._amp_update_scale_(self.factor, self.good_steps, found_inf, GROWTH, BACKOFF, GROWTH_STEPS)
        return found_inf
