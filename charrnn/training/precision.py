"""The numbers that a training computes with: matrix products in half precision where the machine is fast at them.

The weights themselves, their updates, the states, the losses and all that adds up stay in single precision
(mixed precision, Micikevicius et al. 2018). Scoring and sampling are always in single precision.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from charrnn.config import TrainingConfig

FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""What processors have that multiply matrices of bfloat16 faster than of float32."""


def dtype_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """What matrix products of a training are computed in: as the configuration says, or what the device is fast at.

    Args:
        config: its `precision`.
        device: where the model is.
    """
    if config.precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[config.precision]
    if device.type == "cpu":
        has: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch 2.13 and later
        return torch.bfloat16 if any(has.get(name) for name in FAST_BFLOAT16) else torch.float32
    if device.type == "cuda":
        return torch.float16
    return torch.float32
