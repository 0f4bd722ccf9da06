"""Muon, of which a step can be a CUDA graph: matrices of one shape go together, and the host decides nothing.

The same updates as `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, which takes one matrix after the other and
its rate from the host, and which a gradient scaler must wait for at each step.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from charrnn.training.distributed import Ranks

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
EPSILON = 1e-7
MATCHING = 0.2
"""What makes an update about as large as one of AdamW's (arXiv 2502.16982, equation 4)."""


class Muon(Optimizer):
    """Nesterov's momentum, made orthogonal (Jordan et al. 2024).

    Args:
        parameters: matrices.
        weight_decay: decoupled, as AdamW's.
        momentum: the share that is kept.
        ranks: the processes that train together: each makes some of the matrices orthogonal.

    Attributes:
        found_inf: a scalar on the device, above 0 if the step is to be left out; the name that PyTorch's own fused
            optimizers have for it.
    """

    found_inf: Tensor | None = None

    def __init__(
        self, parameters: Iterable[Tensor], weight_decay: float, momentum: float, ranks: Ranks | None = None
    ) -> None:
        self.ranks = ranks or Ranks()
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the matrices that have a gradient; `lr` may be a number or a scalar on the device."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._step(parameters, group["lr"], group["weight_decay"], group["momentum"])

    def _step(self, parameters: list[Tensor], rate: float | Tensor, weight_decay: float, kept: float) -> None:
        """One step of N matrices of one shape."""
        gradient = torch.stack([parameter.grad for parameter in parameters if parameter.grad is not None])
        state = self.state[parameters[0]]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum: Tensor = state["momentum"]
        if self.found_inf is not None:  # left out: the momentum stays, and the rate is none
            good = self.found_inf == 0
            gradient = torch.where(good, gradient, momentum)
            rate = rate * good
        momentum.lerp_(gradient, 1 - kept)
        mine, update = self.ranks.share(len(gradient)), gradient.lerp(momentum, kept)
        update = self.ranks.gathered(orthogonal(update[mine]), mine, len(gradient)).float()
        update *= -MATCHING * math.sqrt(max(gradient.shape[1:])) * rate
        torch._foreach_mul_(parameters, 1 - weight_decay * rate)
        torch._foreach_add_(parameters, list(update.unbind()))


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, A, B) → the same in bfloat16, all singular values about 1, by Newton-Schulz."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    is_tall = x.shape[1] > x.shape[2]
    if is_tall:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        squares = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(squares, squares, squares, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
