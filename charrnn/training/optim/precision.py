"""The numbers that a training computes with: matrix products in half precision where the machine is fast at them.

The weights themselves, their updates, the states, the losses and all that adds up stay in single precision
(mixed precision, Micikevicius et al. 2018); losses are scaled so that small gradients are not lost. Scoring and
sampling are always in single precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from charrnn.config import TrainingConfig
from charrnn.models.hardware.processor import fast_half_precisions, instruction_set

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

AUTO = {"cpu": torch.bfloat16, "cuda": torch.float16}
"""The half precision of `auto`, where the device is fast at it."""
FIRST_SCALE = 2.0**16
SCALE_GROWTH, SCALE_BACKOFF, SCALE_STEPS = 2.0, 0.5, 2000


def dtype_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """The precision of the matrix products of a training.

    With `auto` it is the one that the device is fast at. On a device without fast products of the half precision that
    was asked for it is another one, see `fallback`.
    """
    if config.precision == "float32":
        return torch.float32
    fast = fast_half_precisions(device)
    asked = DTYPES.get(config.precision, AUTO.get(device.type, torch.float32))
    if asked in fast:
        return asked
    return torch.float16 if device.type == "cuda" and torch.float16 in fast else torch.float32


def fallback(config: TrainingConfig, device: torch.device) -> str | None:
    """Why a training does not use the precision that its configuration names, in a line; None if it does."""
    dtype = dtype_of(config, device)
    if config.precision == "auto" or dtype == DTYPES[config.precision]:
        return None
    what = f"processor ({instruction_set()})"
    if device.type != "cpu":
        what = f"GPU ({torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type})"
    return f"{str(dtype).removeprefix('torch.')} instead of {config.precision}, which this {what} can only emulate"


class LossScale:
    """The factor of losses in half precision: halved when a gradient is too large, doubled after 2000 good steps.

    What `torch.amp.GradScaler` does, with one decision for all optimizers: it decides for each, and where one is left
    out and the other is not, limiting the norm of both has by then made the other's gradients no numbers. And it waits
    for the device where an optimizer is not one of PyTorch's fused ones.

    Args:
        device: where losses are.
    """

    def __init__(self, device: torch.device) -> None:
        self.factor = torch.full((), FIRST_SCALE, device=device)
        self.good_steps = torch.zeros((), dtype=torch.int32, device=device)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Compute the gradients of a loss, unscaled.

        Returns:
            a scalar on the device: 1 if a gradient is not finite, and the step is to be skipped; else 0.
        """
        (loss * self.factor).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        found_inf = torch.zeros_like(self.factor)
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found_inf, self.factor.reciprocal())
        torch._amp_update_scale_(self.factor, self.good_steps, found_inf, SCALE_GROWTH, SCALE_BACKOFF, SCALE_STEPS)
        return found_inf
