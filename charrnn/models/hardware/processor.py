"""The instructions that this processor computes with, and the half precisions that it, or a GPU, is fast at.

PyTorch and oneDNN can be told to use fewer instructions than there are: `ATEN_CPU_CAPABILITY=avx2` and
`ONEDNN_MAX_CPU_ISA=AVX2` together make a new processor compute as an older one does. The C kernels follow PyTorch.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

import torch

FAST = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16"),
}
"""For each half precision the instructions, by PyTorch's names, any of which multiplies its matrices faster than those
of float32. Without them products are emulated, a hundred times slower, or not there at all."""
ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"
ONEDNN_WITH = {torch.bfloat16: ("BF16", "FP16", "AMX", "AVX10"), torch.float16: ("FP16", "AMX", "AVX10")}
"""For each half precision parts of oneDNN's names for the instruction sets that have it."""
TENSOR_CORES = {torch.float16: (7, 0), torch.bfloat16: (8, 0)}
"""The first compute capability of CUDA devices with matrix products of a half precision (Volta, Ampere)."""
CPU = torch.device("cpu")
_SHORT = {torch.bfloat16: "BF16", torch.float16: "FP16"}


def instruction_set() -> str:
    """The instruction set in use, such as AVX2, AVX-512 or AVX-512 BF16."""
    used = torch.backends.cpu.get_cpu_capability()
    name = {"AVX512": "AVX-512", "DEFAULT": platform.machine()}.get(used, used)
    return name + "".join(f" {short}" for dtype, short in _SHORT.items() if dtype in fast_half_precisions())


def fast_half_precisions(device: torch.device = CPU) -> frozenset[torch.dtype]:
    """The half precisions whose matrix products are faster than those of float32.

    PyTorch before 2.13 does not say what a CPU has; then there are none.
    """
    if device.type == "cuda":
        has_now = torch.cuda.get_device_capability(device)
        return frozenset(dtype for dtype, least in TENSOR_CORES.items() if has_now >= least)
    if device.type != "cpu":
        return frozenset({torch.float16})  # all of Apple's GPUs; bfloat16 is emulated on the M1
    has: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return frozenset()
    limit = os.environ.get(ONEDNN_LIMIT, "ALL").upper()
    return frozenset(
        dtype
        for dtype, names in FAST.items()
        if any(has.get(name) for name in names)
        and (limit in ("ALL", "DEFAULT") or any(part in limit for part in ONEDNN_WITH[dtype]))
    )
