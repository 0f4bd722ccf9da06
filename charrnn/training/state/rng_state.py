"""The states of PyTorch's random generators, read and set; knows nothing of what draws from them."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.training.optim.optimizer import require_tensor

LEFT, NEXT = slice(8, 12), slice(16, 24)
"""Bytes of the CPU generator's state (aten/src/ATen/CPUGeneratorImpl.cpp) with an int32 and an int64: how many of the
624 numbers of the Mersenne twister are left, and the place of the next."""
TWISTER_SIZE = 624


def get_rng_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators of the CPU and of a device, by name."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_rng_state(tensors: dict[str, Tensor], device: torch.device) -> None:
    """Make the generators go on where `get_rng_state` was taken.

    Raises:
        ValueError, RuntimeError: they are no states of generators.
    """
    state = require_tensor(tensors, "random.cpu", tuple(torch.get_rng_state().shape), torch.uint8)
    left, place = int(state[LEFT].clone().view(torch.int32)), int(state[NEXT].clone().view(torch.int64))
    is_new = (left, place) == (1, 0)
    if not (is_new or (0 <= place <= TWISTER_SIZE and left + place == TWISTER_SIZE + 1)):  # PyTorch would read beyond
        raise ValueError(
            f"training.random.cpu: expected {TWISTER_SIZE + 1} as the sum of two numbers, found {left} and {place}"
        )
    torch.set_rng_state(state)
    if device.type == "cuda" and "random.cuda" in tensors:  # another device has other numbers anyway
        shape = tuple(torch.cuda.get_rng_state(device).shape)
        torch.cuda.set_rng_state(require_tensor(tensors, "random.cuda", shape, torch.uint8), device)
