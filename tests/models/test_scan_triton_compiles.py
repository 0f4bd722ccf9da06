"""The Triton kernels compile for GPUs that are not present, from Turing to Blackwell, in each precision.

Needs Triton, which CI installs for this test (`.ci/triton`); PyTorch's CPU build does not include it.
"""

import os

import pytest

pytest.importorskip("triton", reason="needs Triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("nothing is compiled with TRITON_INTERPRET=1", allow_module_level=True)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from charrnn.models.kernels import scan_triton  # imports Triton

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Triton 3.7's own, on Python 3.13

SHARED_MEMORY = 48 * 1024
"""The shared memory in bytes that every GPU gives a program by default."""


@pytest.fixture(autouse=True)
def fusion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same setting as in `kernels/scan.py`."""
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("capability", [75, 80, 90, 120])
@pytest.mark.parametrize("kernel", ["_forward_kernel", "_backward_kernel"])
def test_triton_kernel_compiles(kernel: str, capability: int, gated: bool, dtype: str) -> None:
    function = getattr(scan_triton, kernel)
    is_input = {"p_ptr", "q_ptr", "grad_p_ptr", "grad_q_ptr"}
    constants = {"GATED": gated, "STEPS": scan_triton.STEPS, "UNITS": scan_triton.UNITS}
    signature = {
        name: "constexpr"
        if name in constants
        else f"*{dtype if name in is_input else 'fp32'}"
        if name.endswith("_ptr")
        else "i32"
        for name in function.arg_names
    }
    source = ASTSource(function, signature, constexprs=constants)
    compiled = triton.compile(source, GPUTarget("cuda", capability, 32), {"num_warps": scan_triton.WARPS})
    assert compiled.asm["cubin"]
    assert compiled.metadata.shared <= SHARED_MEMORY
