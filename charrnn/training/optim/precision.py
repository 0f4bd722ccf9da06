"""The numbers that a training computes with: matrix products in half precision where the machine is fast at them.

The weights themselves, their updates, the states, the losses and all that adds up stay in single precision
(mixed precision, Micikevicius et al. 2018). Scoring and sampling are always in single precision.
"""

from __future__ import annotations

import torch

from charrnn.config import TrainingConfig
from charrnn.models.kernels.processor import fast_half_precisions, instruction_set

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

AUTO = {"cpu": torch.bfloat16, "cuda": torch.float16}
"""The half precision of `auto`, where the device is fast at it."""


def dtype_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """The precision of the matrix products of a training.

    On a device without fast products of the half precision that was asked for it is another one, see `fallback`.

    Args:
        config: its `precision`; with `auto`, the precision that the device is fast at.
        device: the device of the model.
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
