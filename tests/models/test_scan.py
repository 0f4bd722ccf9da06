"""The scan against its definition."""

import torch

from charrnn.models.kernels.scan import scan, scan_reference


def inputs() -> list[torch.Tensor]:
    torch.manual_seed(0)
    a = torch.rand(2, 9, 3, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    return [a, b, h0]


def test_by_hand() -> None:
    a = torch.tensor([[[0.5], [0.0], [2.0]]])
    b = torch.tensor([[[1.0], [3.0], [-1.0]]])
    h = scan(a, b, torch.tensor([[4.0]]))
    assert h.flatten().tolist() == [3.0, 3.0, 5.0]


def test_equals_the_reference_with_gradients() -> None:
    found, expected = inputs(), inputs()
    h, reference = scan(*found), scan_reference(*expected)
    torch.testing.assert_close(h, reference)
    weights = torch.arange(h.numel()).view_as(h).cos()
    for got, want in zip(
        torch.autograd.grad((h * weights).sum(), found),
        torch.autograd.grad((reference * weights).sum(), expected),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_gradient_is_numerically_right() -> None:
    assert torch.autograd.gradcheck(scan, inputs())


def test_state_is_carried_over_pieces() -> None:
    a, b, h0 = inputs()
    whole = scan(a, b, h0)
    first = scan(a[:, :4], b[:, :4], h0)
    second = scan(a[:, 4:], b[:, 4:], first[:, -1])
    torch.testing.assert_close(torch.cat((first, second), 1), whole)
