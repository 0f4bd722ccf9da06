"""Selecting the device for `--device`."""

from __future__ import annotations

import os

import torch

from charrnn.cli.shared.terminal import log, log_field
from charrnn.errors import DeviceError, UsageError
from charrnn.formatting import plural
from charrnn.models.hardware.gpu_features import run_trials
from charrnn.torchrun import world_size


def select_device(name: str) -> torch.device:
    """Return the device of a name. `auto` is CUDA if it works, otherwise the CPU; MPS is used only on request.

    Sets float32 matrix products to full precision: cuDNN's recurrent layers would round to TF32.

    Raises:
        UsageError: this machine has no such device.
        DeviceError: the device does not work, or there are fewer GPUs than processes.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    resolved = name
    if name == "auto":
        resolved = "cuda" if "cuda" in available else "cpu"
    if resolved == "cuda" and world_size() > 1:  # each process on a machine has its own GPU
        resolved = f"cuda:{_local_rank(name)}"
    if resolved not in available:
        raise UsageError(f"--device {name}: not available on this machine; available: {', '.join(available)}")
    device = torch.device(resolved)
    problem = _problem(device)
    if problem and name != "auto":
        advice = "try --device cpu"
        if "no kernel image" in problem:  # the GPU is too old for this build of PyTorch
            advice = f"install PyTorch built for CUDA 12.6, which supports older GPUs, or {advice}"
        raise DeviceError(f"--device {name}: {problem}; {advice}")
    if problem:
        log_field("device", f"cpu, because the GPU does not work: {problem}")
        return torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    return device


def check_gpu_features(device: torch.device, *features: str) -> None:
    """Test once whether these `run_trials` features work on the GPU of a single process; up to a minute each."""
    if device.type == "cuda" and world_size() == 1:
        run_trials(device, *features, log=log)


def _local_rank(name: str) -> int:
    """Return the rank of this process on its machine; DeviceError if there are fewer GPUs than processes."""
    rank, processes = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count()
    needed = max(rank + 1, processes)
    if needed > gpus:
        raise DeviceError(
            f"--device {name}: this machine has {plural(gpus, 'GPU')} for {needed} processes (this is process "
            f"{rank}); use torchrun --nproc-per-node {gpus}, or --device cpu"
        )
    return rank


def _problem(device: torch.device) -> str | None:
    """Return PyTorch's error message if a device cannot compute, otherwise None."""
    if device.type == "cpu":
        return None
    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None
