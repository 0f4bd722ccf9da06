"""The device that `--device` means."""

from __future__ import annotations

import os

import torch

from charrnn.cli.shared.terminal import field, say
from charrnn.errors import DeviceError, UsageError
from charrnn.models.kernels.gpu_features import prove
from charrnn.torchrun import world_size

OLDER_GPU = "no kernel image"
"""What PyTorch says of a GPU for which it has no code."""


def choose(name: str) -> torch.device:
    """The device of a name. `auto` is CUDA if it works, or the CPU; MPS must be named.

    Matrix products of float32 are exact on it: cuDNN would round those of recurrent layers to TF32.

    Raises:
        UsageError: there is no such device here.
        DeviceError: it is here and does not work, or there are fewer GPUs than processes.
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    wanted = name
    if name == "auto":
        wanted = "cuda" if "cuda" in present else "cpu"
    if wanted == "cuda" and world_size() > 1:  # one for each process of a machine
        wanted = f"cuda:{_local_rank(name)}"
    if wanted not in present:
        raise UsageError(f"--device {name}: not found on this machine; try one of {', '.join(present)}")
    device = torch.device(wanted)
    problem = _problem(device)
    if problem and name != "auto":
        raise DeviceError(f"--device {name}: {problem}; {_advice(problem)}")
    if problem:
        field("device", f"the CPU, because the GPU cannot be used: {problem}")
        return torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    return device


def try_features(device: torch.device, *features: str) -> None:
    """Find out whether CUDA graphs and the Triton kernels may be used on a GPU: once, in up to a minute each.

    Args:
        device: any; only a GPU that one process uses has something to try.
        features: as for `kernels.gpu_features.prove`.
    """
    if device.type == "cuda" and world_size() == 1:
        prove(device, *features, tell=say)


def _local_rank(name: str) -> int:
    """Which of this machine's processes this is.

    Raises:
        DeviceError: there are fewer GPUs than processes.
    """
    rank, processes = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count()
    if max(rank + 1, processes) > gpus:
        raise DeviceError(
            f"--device {name}: process {rank} of {processes} on this machine, which has {gpus} GPU{'s' * (gpus != 1)}; "
            f"try torchrun --nproc-per-node {gpus}, or --device cpu"
        )
    return rank


def _problem(device: torch.device) -> str | None:
    """Why a device cannot compute, as PyTorch says it; None if it can."""
    if device.type == "cpu":
        return None
    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None


def _advice(problem: str) -> str:
    if OLDER_GPU in problem:
        return "install PyTorch's build for CUDA 12.6, which has code for older GPUs, or try --device cpu"
    return "try --device cpu"
