"""The Muon optimizer, in a form that CUDA graphs can capture.

The updates equal those of `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`. PyTorch's version updates matrices
one by one, takes the learning rate from the host and makes a gradient scaler wait at each step; here matrices of equal
shape are batched, and the host decides nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.training.distributed import ProcessGroup

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of the Newton-Schulz iteration."""
ITERATIONS, HALF_ITERATIONS = 4, 2
"""Number of iterations (four are as good as the usual five, see docs/project/experiments.md), and the number before
the Gram matrix is recomputed in half precision."""
EPSILON = 1e-7
MATCHING = 0.2
"""Scale that makes an update about as large as one of AdamW's (arXiv 2502.16982, equation 4)."""


class Muon(Optimizer):
    """Orthogonalized Nesterov momentum (Jordan et al. 2024).

    Args:
        parameters: the matrices to update.
        weight_decay: decoupled weight decay, as in AdamW.
        momentum: momentum coefficient.
        group: the processes that train together; each orthogonalizes some of the matrices.

    Attributes:
        found_inf: a scalar on the device, above 0 to skip the step; named as in PyTorch's fused optimizers.
    """

    found_inf: Tensor | None = None

    def __init__(
        self, parameters: Iterable[Tensor], weight_decay: float, momentum: float, group: ProcessGroup | None = None
    ) -> None:
        self.group = group or ProcessGroup()
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the matrices that have a gradient; `lr` may be a number or a scalar on the device."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._step(parameters, group["lr"], group["weight_decay"], group["momentum"])

    def _step(self, parameters: list[Tensor], rate: float | Tensor, weight_decay: float, kept: float) -> None:
        """Update N matrices of equal shape."""
        update = torch.stack([parameter.grad for parameter in parameters if parameter.grad is not None])
        state = self.state[parameters[0]]
        if not state:
            state["momentum"] = torch.zeros_like(update)
        momentum: Tensor = state["momentum"]
        if self.found_inf is not None:  # a skipped step keeps the momentum and has learning rate 0
            good = self.found_inf == 0
            update = torch.where(good, update, momentum)
            rate = rate * good
        momentum.lerp_(update, 1 - kept)
        update.lerp_(momentum, kept)
        own, scale = self.group.share(len(update)), -MATCHING * math.sqrt(max(update.shape[1:])) * rate
        update = self.group.all_gather(orthogonal(update[own], dtype_for(update.device), scale), own, len(update))
        torch._foreach_mul_(parameters, 1 - weight_decay * rate)
        torch._foreach_add_(parameters, list(update.unbind()))


def dtype_for(device: torch.device) -> torch.dtype:
    """Return the precision of Muon's matrix products: bfloat16, or float32 if the device can only emulate bfloat16."""
    return torch.bfloat16 if torch.bfloat16 in fast_half_precisions(device) else torch.float32


def orthogonal(matrices: Tensor, dtype: torch.dtype, scale: float | Tensor = 1.0) -> Tensor:
    """Orthogonalize matrices by Newton-Schulz: set all singular values to about 1, and multiply by `scale`.

    With X (n, m), n ≤ m, an iteration is X ← p X, p = a I + b G + c G², G = X Xᵀ. The iterations need only the Gram
    matrix G (n, n): Q ← p Q, G ← p G p, and X ← Q X at the end, so few products involve X. In half precision rounding
    errors in G would grow with each iteration, so G is recomputed from X after every second one.

    Args:
        matrices: (N, A, B) float32.
        dtype: precision of the matrix products.
        scale: a number, or a scalar on the device.

    Returns:
        (N, A, B) float32.
    """
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if is_tall else matrices).to(dtype)
    together = ITERATIONS if dtype == torch.float32 else HALF_ITERATIONS
    for done in range(0, ITERATIONS, together):
        gram = x @ x.mT
        factor: float | Tensor = 1.0
        if done == 0:  # the squares of the singular values sum to 1
            squared = gram.diagonal(dim1=1, dim2=2).float().sum(1)[:, None, None].clamp(min=EPSILON**2)
            gram, factor = gram / squared.to(dtype), squared.rsqrt()
        if done + together >= ITERATIONS:
            factor = factor * scale
        x = (_polynomial(gram, together) * factor).to(dtype) @ x
    return (x.mT if is_tall else x).float()


def _polynomial(gram: Tensor, iterations: int) -> Tensor:
    """Return the product of the factors p of some iterations, (N, n, n), for Gram matrices (N, n, n)."""
    a, b, c = COEFFICIENTS
    product = None
    for left in reversed(range(iterations)):
        p = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        p.diagonal(dim1=1, dim2=2).add_(a)
        product = p if product is None else p @ product
        if left:
            gram = p @ gram @ p
    assert product is not None
    return product
