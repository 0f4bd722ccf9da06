"""Get and set the states of PyTorch's random generators."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.training.optim.optimizer import require_tensor

LEFT, NEXT = slice(8, 12), slice(16, 24)
"""Bytes of two fields of the CPU generator's state (aten/src/ATen/CPUGeneratorImpl.cpp): the number of values left in
the Mersenne Twister, an int32, and the index of the next one, an int64."""
TWISTER_SIZE = 624
"""Number of values in the state of the Mersenne Twister."""


def get_rng_state(device: torch.device) -> dict[str, Tensor]:
    """Return the generator states of the CPU and of a device, by name."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_rng_state(tensors: dict[str, Tensor], device: torch.device) -> None:
    """Set the generator states that `get_rng_state` returned.

    Raises:
        ValueError, RuntimeError: a state is not valid.
    """
    state = require_tensor(tensors, "random.cpu", tuple(torch.get_rng_state().shape), torch.uint8)
    left, place = int(state[LEFT].clone().view(torch.int32)), int(state[NEXT].clone().view(torch.int64))
    is_new = (left, place) == (1, 0)
    if not (is_new or (0 <= place <= TWISTER_SIZE and left + place == TWISTER_SIZE + 1)):
        # PyTorch does not check these numbers, and would read beyond the end of the state.
        raise ValueError(
            f"training.random.cpu: expected {TWISTER_SIZE + 1} as the sum of two numbers, found {left} and {place}"
        )
    torch.set_rng_state(state)
    if device.type == "cuda" and "random.cuda" in tensors:  # absent if the training ran on another kind of device
        shape = tuple(torch.cuda.get_rng_state(device).shape)
        torch.cuda.set_rng_state(require_tensor(tensors, "random.cuda", shape, torch.uint8), device)
