"""The scan compared with its reference, in double precision (PyTorch) and in single precision (C, if compiled)."""

import pytest
import torch

from charrnn.models.kernels.scan import scan, scan_reference


def inputs(B: int = 2, T: int = 9, H: int = 3, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    torch.manual_seed(0)
    a = torch.rand(B, T, H, dtype=dtype, requires_grad=True)
    b = torch.randn(B, T, H, dtype=dtype, requires_grad=True)
    h0 = torch.randn(B, H, dtype=dtype, requires_grad=True)
    return [a, b, h0]


def test_scan_matches_values_worked_by_hand() -> None:
    a = torch.tensor([[[0.5], [0.0], [2.0]]])
    b = torch.tensor([[[1.0], [3.0], [-1.0]]])
    h = scan(a, b, torch.tensor([[4.0]]))
    assert h.flatten().tolist() == [3.0, 3.0, 5.0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(2, 9, 3), (1, 1, 5), (3, 7, 32), (2, 40, 300)])
def test_scan_matches_the_reference_with_gradients(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    actual, expected = inputs(*shape, dtype), inputs(*shape, dtype)
    h, reference = scan(*actual), scan_reference(*expected)
    torch.testing.assert_close(h, reference)
    weights = torch.arange(h.numel()).view_as(h).cos()
    for got, want in zip(
        torch.autograd.grad((h * weights).sum(), actual),
        torch.autograd.grad((reference * weights).sum(), expected),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_scan_passes_a_numeric_gradient_check() -> None:
    assert torch.autograd.gradcheck(scan, inputs())


def test_scan_of_strided_inputs_matches_the_reference() -> None:
    a, b, h0 = (part.detach().float() for part in inputs(4, 5, 6))
    a, b = a[:1].expand(4, -1, -1), b.transpose(0, 2).contiguous().transpose(0, 2)
    actual = [a.requires_grad_(), b.requires_grad_(), h0.requires_grad_()]
    h, reference = scan(*actual), scan_reference(*actual)
    torch.testing.assert_close(h, reference)
    for got, want in zip(
        torch.autograd.grad(h.sum(), actual), torch.autograd.grad(reference.sum(), actual), strict=True
    ):  # the gradient of a sum has strides of 0
        torch.testing.assert_close(got, want)


def test_scan_in_pieces_carries_its_state() -> None:
    a, b, h0 = inputs()
    whole = scan(a, b, h0)
    first = scan(a[:, :4], b[:, :4], h0)
    second = scan(a[:, 4:], b[:, 4:], first[:, -1])
    torch.testing.assert_close(torch.cat((first, second), 1), whole)
