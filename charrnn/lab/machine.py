"""The machine that a time was measured on, in words."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")


def machine(device: torch.device) -> str:
    """Threads and processor, or the GPU, and the version of PyTorch."""
    version = torch.__version__.partition("+")[0]
    if device.type == "cuda":
        return f"one {torch.cuda.get_device_name(device)}, PyTorch {version}"
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' * (threads != 1)} of {_processor()}, PyTorch {version}"


def _processor() -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
