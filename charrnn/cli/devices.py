"""The device that `--device` means."""

from __future__ import annotations

import torch

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
    elif name not in present:
        raise UsageError(f"--device {name}: is not here; here are {', '.join(present)}")
    return torch.device(name)
