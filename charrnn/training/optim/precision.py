"""Mixed-precision training (Micikevicius et al. 2018): matrix products in half precision where the machine is fast.

Weights, updates, hidden states, losses and sums stay in single precision. Losses are scaled to keep small gradients.
Scoring and sampling always use single precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from charrnn.config import TrainingConfig
from charrnn.models.hardware.processor import fast_half_precisions, instruction_set

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

AUTO = {"cpu": torch.bfloat16, "cuda": torch.float16}
"""Half precision that `auto` uses, if the device has fast matrix products for it."""
FIRST_SCALE = 2.0**16
"""Initial loss scale."""
SCALE_GROWTH, SCALE_BACKOFF, SCALE_STEPS = 2.0, 0.5, 2000
"""Factors of the loss scale after `SCALE_STEPS` good steps and after an overflow."""


def dtype_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """Return the precision of a training's matrix products: the configured one, if the device is fast at it.

    `auto` is the fastest precision of the device. For a precision that the device can only emulate, see `fallback`.
    """
    if config.precision == "float32":
        return torch.float32
    fast = fast_half_precisions(device)
    preferred = DTYPES.get(config.precision, AUTO.get(device.type, torch.float32))
    if preferred in fast:
        return preferred
    return torch.float16 if device.type == "cuda" and torch.float16 in fast else torch.float32


def fallback(config: TrainingConfig, device: torch.device) -> str | None:
    """Return a line on why a training does not use its configured precision, or None if it does."""
    dtype = dtype_of(config, device)
    if config.precision == "auto" or dtype == DTYPES[config.precision]:
        return None
    what = f"processor ({instruction_set()})"
    if device.type != "cpu":
        what = f"GPU ({torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type})"
    return f"{str(dtype).removeprefix('torch.')} instead of {config.precision}, which this {what} can only emulate"


class LossScale:
    """Dynamic loss scale for half precision: halved when a gradient overflows, doubled after 2000 good steps.

    Like `torch.amp.GradScaler`, but with one decision for all optimizers. GradScaler decides for each: if one optimizer
    skips a step, clipping the norm of all gradients has already turned those of the others into NaN. It also waits for
    the device unless the optimizer is one of PyTorch's fused ones.

    Args:
        device: the device of the losses.
    """

    def __init__(self, device: torch.device) -> None:
        self.factor = torch.full((), FIRST_SCALE, device=device)
        self.good_steps = torch.zeros((), dtype=torch.int32, device=device)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Compute the gradients of a loss, unscaled.

        Returns:
            A scalar on the device: 1 if a gradient is not finite and the step must be skipped, else 0.
        """
        (loss * self.factor).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        found_inf = torch.zeros_like(self.factor)
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found_inf, self.factor.reciprocal())
        torch._amp_update_scale_(self.factor, self.good_steps, found_inf, SCALE_GROWTH, SCALE_BACKOFF, SCALE_STEPS)
        return found_inf
