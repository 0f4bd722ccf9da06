"""The recurrences of minGRU and minLSTM compared with their reference, in C and in PyTorch."""

import pytest
import torch
from torch import Tensor

from charrnn.models.kernels import build
from charrnn.models.kernels.scan import gated_scan, gated_scan_reference


@pytest.fixture(params=["c", "pytorch"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pytorch":
        monkeypatch.setenv(build.SWITCH, "0")
    elif build.native_library() is None:
        pytest.skip("no C compiler with OpenMP")


def make_inputs(gates: int, B: int, T: int, H: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(B + T + H)
    return 3 * torch.randn(B, T, gates * H), torch.randn(B, H)


@pytest.mark.parametrize("gates", [2, 3])
@pytest.mark.parametrize(("B", "T", "H"), [(1, 1, 5), (3, 7, 32), (2, 9, 129), (1, 30, 300)])
@pytest.mark.parametrize("threads", [1, 3])
def test_gated_scan_matches_the_reference_with_gradients(
    gates: int, B: int, T: int, H: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GRAIN_SIZE", 1)
    p, h0 = make_inputs(gates, B, T, H)
    before, results = torch.get_num_threads(), []
    torch.set_num_threads(threads)
    try:
        for forward in (gated_scan, gated_scan_reference):
            inputs = [p.clone().requires_grad_(), h0.clone().requires_grad_()]
            h = forward(*inputs)
            loss = (h * torch.arange(h.numel()).view_as(h).cos()).sum()
            results.append((h, *torch.autograd.grad(loss, inputs)))
    finally:
        torch.set_num_threads(before)
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("gates", [2, 3])
def test_gated_scan_of_bfloat16_is_close(gates: int) -> None:
    """Products under autocast are bfloat16, and so are their gradients; the state is float32."""
    p, h0 = make_inputs(gates, 3, 8, 20)
    p = p.bfloat16().requires_grad_()
    exact = p.detach().float().requires_grad_()
    h, expected = gated_scan(p, h0), gated_scan_reference(exact, h0)
    assert h.dtype == torch.float32
    torch.testing.assert_close(h, expected)
    (grad,), (expected_grad,) = torch.autograd.grad(h.sum(), [p]), torch.autograd.grad(expected.sum(), [exact])
    assert grad.dtype == torch.bfloat16
    torch.testing.assert_close(grad.float(), expected_grad, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("value", [-200.0, -90.0, 90.0, 1e4])
def test_gated_scan_with_extreme_gates_is_finite(value: float) -> None:
    """For each gate, and both at once: f / (f + i) is never 0 / 0."""
    for f, i in ((value, value), (value, 0.0), (0.0, value), (value, value - 1)):
        p = torch.tensor([f, i, 2.0])[None, None].requires_grad_()
        h0 = torch.ones(1, 1)
        torch.testing.assert_close(gated_scan(p, h0), gated_scan_reference(p, h0))
        assert torch.autograd.grad(gated_scan(p, h0), [p])[0].isfinite().all()


@pytest.mark.parametrize("gates", [2, 3])
def test_gated_scan_of_nan_is_nan(gates: int) -> None:
    p, h0 = make_inputs(gates, 1, 3, 4)
    p[0, 1, 0] = float("nan")
    h = gated_scan(p, h0)
    assert h[0, 1:, 0].isnan().all()
    assert h[0, :, 1:].isfinite().all()
