"""The device that `--device` means."""

from __future__ import annotations

import os

import torch

from charrnn.cli.processes import number
from charrnn.errors import UsageError


def choose(name: str) -> torch.device:
    """CUDA, then MPS, then CPU for `auto`; otherwise the one that is named.

    Raises:
        UsageError: there is no such device here.
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name == "auto":
        name = present[0]
    if name == "cuda" and number() > 1:  # one for each process of a machine
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if name in present and name.startswith("cuda:"):
        torch.cuda.set_device(name)
    if name in present:
        return torch.device(name)
    raise UsageError(f"--device {name}: is not here; here are {', '.join(present)}")
