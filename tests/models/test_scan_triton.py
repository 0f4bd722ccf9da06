"""The Triton kernels compared with the reference, on a CPU, with Triton's interpreter.

    TRITON_INTERPRET=1 pytest tests/models/test_scan_triton.py

Triton reads the variable on import, so the test cannot set it. CI skips this test, because Triton has one gigabyte.
"""

import os

import pytest
import torch

from charrnn.models.kernels.scan import scan_reference

if os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("needs TRITON_INTERPRET=1, and Triton", allow_module_level=True)
pytest.importorskip("triton", minversion="3.9", reason="needs Triton 3.9: interpreters before fail with numpy 2.4")

from charrnn.models.kernels import scan_triton  # imports Triton

SHAPES = [(2, 19, 5), (1, 1, 33), (3, 8, 40)]
"""One, two and several chunks of 8 steps, full and not; one and two blocks of units."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_triton, "STEPS", 8)


def by_hand(gates: torch.Tensor, h0: torch.Tensor) -> torch.Tensor:
    z, candidate = gates.to(h0.dtype).chunk(2, -1)
    return scan_reference(torch.sigmoid(-z), torch.sigmoid(z) * candidate, h0)


@pytest.mark.parametrize("shape", SHAPES)
def test_triton_scan_matches_the_reference_with_gradients(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    inputs = [torch.rand(shape), torch.randn(shape), torch.randn(shape[0], shape[2])]
    for part in inputs:
        part.requires_grad_()
    actual, expected = scan_triton.scan(*inputs), scan_reference(*inputs)
    torch.testing.assert_close(actual, expected)
    weights = torch.randn(shape)
    for got, want in zip(
        torch.autograd.grad((actual * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_triton_gated_scan_matches_the_reference_with_gradients(
    shape: tuple[int, int, int], dtype: torch.dtype
) -> None:
    """Only inputs and their gradients are rounded to half precision; sums are not."""
    rows, length, width = shape
    torch.manual_seed(0)
    gates = torch.randn(rows, length, 2 * width).to(dtype).requires_grad_()
    h0 = torch.randn(rows, width, requires_grad=True)
    actual, expected = scan_triton.gated_scan(gates, h0), by_hand(gates, h0)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected)
    weights = torch.randn(shape)
    got = torch.autograd.grad((actual * weights).sum(), (gates, h0))
    want = torch.autograd.grad((expected * weights).sum(), (gates, h0))
    assert got[0].dtype == dtype
    torch.testing.assert_close(got[0], want[0], rtol=1e-2 if dtype.itemsize == 2 else 1e-4, atol=1e-5)
    torch.testing.assert_close(got[1], want[1], rtol=1e-4, atol=1e-5)


def test_triton_scan_of_strided_inputs_matches_the_reference() -> None:
    torch.manual_seed(0)
    gates, h0 = torch.randn(11, 2, 8).transpose(0, 1), torch.randn(4, 2).T
    torch.testing.assert_close(scan_triton.gated_scan(gates, h0), by_hand(gates, h0))
