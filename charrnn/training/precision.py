"""The numbers that a training computes with: matrix products in half precision where the machine is fast at them.

The weights themselves, their updates, the states, the losses and all that adds up stay in single precision
(mixed precision, Micikevicius et al. 2018). Scoring and sampling are always in single precision.
"""

from __future__ import annotations

import torch

from charrnn.config import TrainingConfig
from charrnn.models.kernels.processor import fast_half_precisions, instruction_set

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def dtype_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """The precision of the matrix products of a training.

    On a CPU without fast products of the half precision that was asked for it is float32, see `fallback`.

    Args:
        config: its `precision`; with `auto`, the precision that the device is fast at.
        device: the device of the model.
    """
    asked = DTYPES.get(config.precision)
    if device.type == "cpu":
        fast = fast_half_precisions()
        if asked is None:
            return torch.bfloat16 if torch.bfloat16 in fast else torch.float32
        return asked if asked in fast else torch.float32
    if asked is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    return asked


def fallback(config: TrainingConfig, device: torch.device) -> str | None:
    """Why a training does not use the precision that its configuration names, in a line; None if it does."""
    if config.precision == "auto" or dtype_of(config, device) == DTYPES[config.precision]:
        return None
    return f"float32 instead of {config.precision}, which this processor ({instruction_set()}) can only emulate"
