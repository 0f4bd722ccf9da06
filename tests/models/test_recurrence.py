"""RNN and GRU layers compared with their reference, in C and in PyTorch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from charrnn.models.kernels import build
from charrnn.models.kernels.recurrence import Core, recurrence, recurrence_reference

needs_compiler = pytest.mark.skipif(build.native_library() is None, reason="no C compiler with OpenMP")
Recurrence = Callable[[Core, Tensor, Tensor], tuple[Tensor, Tensor]]


def make_inputs(kind: type[Core], B: int, T: int, D: int, H: int) -> tuple[Core, Tensor, Tensor]:
    torch.manual_seed(B + T + D + H)
    return kind(D, H, batch_first=True), torch.randn(B, T, D), torch.randn(B, H)


def outcome(forward: Recurrence, core: Core, x: Tensor, h0: Tensor) -> list[Tensor]:
    """Return values and all gradients of a loss that weights every output differently, and the last state twice."""
    x, h0 = x.detach().requires_grad_(), h0.detach().requires_grad_()
    y, h = forward(core, x, h0)
    loss = (y.float() * torch.arange(y.numel()).view_as(y).cos()).sum()
    loss = loss + (h.float() * torch.arange(h.numel()).view_as(h).sin()).sum()
    return [y, h, *torch.autograd.grad(loss, [x, h0, *core.parameters()])]


@pytest.fixture(params=["c", "pytorch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pytorch":
        monkeypatch.setenv(build.SWITCH, "0")
    elif build.native_library() is None:
        pytest.skip("no C compiler with OpenMP")
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
@pytest.mark.parametrize(
    ("B", "T", "D", "H"), [(1, 1, 3, 5), (3, 7, 5, 32), (1, 7, 40, 129), (3, 1, 129, 32), (27, 4, 8, 48)]
)
def test_recurrence_matches_the_reference_with_gradients(kind: type[Core], B: int, T: int, D: int, H: int) -> None:
    inputs = make_inputs(kind, B, T, D, H)
    for actual, expected in zip(outcome(recurrence, *inputs), outcome(recurrence_reference, *inputs), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=2e-5)


@needs_compiler
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_recurrence_gradients_of_one_output_match_the_reference(kind: type[Core]) -> None:
    core, x, h0 = make_inputs(kind, 2, 5, 3, 4)
    for output in (0, 1):
        for actual, expected in zip(
            torch.autograd.grad(recurrence(core, x, h0)[output].square().sum(), list(core.parameters())),
            torch.autograd.grad(recurrence_reference(core, x, h0)[output].square().sum(), list(core.parameters())),
            strict=True,
        ):
            torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_recurrence_of_strided_inputs_matches_the_reference(kind: type[Core]) -> None:
    core, x, h0 = make_inputs(kind, 4, 6, 8, 16)
    expected = outcome(recurrence, core, x, h0)
    odd = x.permute(2, 0, 1).contiguous().permute(1, 2, 0), h0.t().contiguous().t()
    for actual, want in zip(outcome(recurrence, core, *odd), expected, strict=True):
        torch.testing.assert_close(actual, want)
    expanded = outcome(recurrence, core, x[:1].expand(4, -1, -1), h0[:1].expand(4, -1))
    torch.testing.assert_close(expanded[0][0], expanded[0][3])
    torch.testing.assert_close(expanded[0][0], expected[0][0])


@needs_compiler
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
@pytest.mark.parametrize("H", [5, 64])
def test_recurrence_in_bfloat16_is_close(kind: type[Core], H: int) -> None:
    """An odd width cannot be split into pairs, so its steps are in single precision."""
    inputs = make_inputs(kind, 5, 9, 12, H)
    expected = outcome(recurrence_reference, *inputs)

    def mixed(core: Core, x: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return recurrence(core, x, h0)

    for actual, want in zip(outcome(mixed, *inputs), expected, strict=True):
        assert actual.dtype == torch.float32
        assert not torch.equal(actual, want)
        assert (actual - want).abs().max() < 0.02 * want.abs().max()


@needs_compiler
def test_native_sigmoid_and_tanh_are_exact_to_single_precision() -> None:
    """Test tanh in an RNN without recurrence, and sigmoid in a GRU whose candidate is 0."""
    x = torch.cat((torch.linspace(-100, 100, 20001), torch.logspace(-30, 1, 2001)))[None, :, None]
    rnn, gru = nn.RNN(1, 1, batch_first=True), nn.GRU(1, 1, batch_first=True)
    with torch.no_grad():
        for parameter in (*rnn.parameters(), *gru.parameters()):
            parameter.zero_()
        rnn.all_weights[0][0].fill_(1.0)
        gru.all_weights[0][0][1] = 1.0  # of z, which keeps the state
        tanh, _ = recurrence(rnn, x, torch.zeros(1, 1))
        torch.testing.assert_close(tanh, x.double().tanh().float(), rtol=4e-7, atol=0)
        x = x.transpose(0, 1)  # one step of many rows, from the state 1
        sigmoid, _ = recurrence(gru, x, torch.ones(len(x), 1))
    shown = x.abs() < 80
    torch.testing.assert_close(sigmoid[shown], x.double().sigmoid().float()[shown], rtol=4e-7, atol=0)
    assert sigmoid.min() >= 0
    assert sigmoid.max() <= 1


@needs_compiler
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_recurrence_of_nan_is_nan(kind: type[Core], value: float) -> None:
    """Diverging training must be detected."""
    core, x, h0 = make_inputs(kind, 2, 3, 4, 16)
    x[1, 1, 2] = value
    for actual, want in zip(recurrence(core, x, h0), recurrence_reference(core, x, h0), strict=True):
        torch.testing.assert_close(actual, want, equal_nan=True, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_recurrence_with_any_number_of_threads_is_the_same(kind: type[Core], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GRAIN_SIZE", 1)
    inputs = make_inputs(kind, 5, 4, 6, 32)
    expected = outcome(recurrence, *inputs)
    before = torch.get_num_threads()
    try:
        for count in (2, 3, 8):
            torch.set_num_threads(count)
            for actual, want in zip(outcome(recurrence, *inputs), expected, strict=True):
                torch.testing.assert_close(actual, want, rtol=1e-5, atol=1e-5)
    finally:
        torch.set_num_threads(before)


def test_recurrence_in_other_precisions_uses_pytorch() -> None:
    core, x, h0 = make_inputs(nn.GRU, 2, 3, 4, 5)
    actual, _ = recurrence(core.double(), x.double(), h0.double())
    torch.testing.assert_close(actual, recurrence_reference(core, x.double(), h0.double())[0])
