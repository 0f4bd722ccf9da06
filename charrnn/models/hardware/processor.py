"""The processor's instruction set, and the half precisions that the processor or a GPU computes fast.

PyTorch and oneDNN can be limited to older instructions: `ATEN_CPU_CAPABILITY=avx2` with `ONEDNN_MAX_CPU_ISA=AVX2` makes
a new processor compute like an older one. The C kernels follow PyTorch's setting.
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
"""For each half precision, the CPU features (PyTorch's names) of which one suffices to multiply matrices faster than in
float32. Without them, products are emulated, a hundred times slower, or missing."""
ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"
"""The environment variable that limits oneDNN's instruction set."""
ONEDNN_WITH = {torch.bfloat16: ("BF16", "FP16", "AMX", "AVX10"), torch.float16: ("FP16", "AMX", "AVX10")}
"""For each half precision, parts of the oneDNN names of the instruction sets that support it."""
TENSOR_CORES = {torch.float16: (7, 0), torch.bfloat16: (8, 0)}
"""The first CUDA compute capability with matrix products in each half precision (Volta, Ampere)."""
CPU = torch.device("cpu")
_SHORT = {torch.bfloat16: "BF16", torch.float16: "FP16"}


def instruction_set() -> str:
    """Return the instruction set in use, such as AVX2, AVX-512 or AVX-512 BF16."""
    used = torch.backends.cpu.get_cpu_capability()
    name = {"AVX512": "AVX-512", "DEFAULT": platform.machine()}.get(used, used)
    return name + "".join(f" {short}" for dtype, short in _SHORT.items() if dtype in fast_half_precisions())


def fast_half_precisions(device: torch.device = CPU) -> frozenset[torch.dtype]:
    """Return the half precisions whose matrix products are faster than in float32.

    PyTorch before 2.13 does not report a CPU's features; the result is then empty.
    """
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return frozenset(dtype for dtype, minimum in TENSOR_CORES.items() if capability >= minimum)
    if device.type != "cpu":
        return frozenset({torch.float16})  # fast on all Apple GPUs; bfloat16 is emulated on the M1
    features: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return frozenset()
    limit = os.environ.get(ONEDNN_LIMIT, "ALL").upper()
    return frozenset(
        dtype
        for dtype, names in FAST.items()
        if any(features.get(name) for name in names)
        and (limit in ("ALL", "DEFAULT") or any(part in limit for part in ONEDNN_WITH[dtype]))
    )
