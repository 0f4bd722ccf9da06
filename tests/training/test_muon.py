"""Muon compared with PyTorch's Muon."""

import copy

import pytest
import torch

from charrnn.training.optim.muon import COEFFICIENTS, ITERATIONS, Muon, dtype_for, orthogonal

SHAPES = [(12, 8), (12, 8), (8, 8), (8, 20)]


def matrices() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).requires_grad_() for shape in SHAPES]


def take(optimizer: torch.optim.Optimizer, rate: float | torch.Tensor) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def newton_schulz(matrix: torch.Tensor) -> torch.Tensor:
    """Orthogonalize a matrix in float64 by the definition (Jordan et al. 2024): X ← aX + (bG + cG²) X, G = X Xᵀ."""
    if matrix.shape[0] > matrix.shape[1]:
        return newton_schulz(matrix.T).T
    a, b, c = COEFFICIENTS
    x = matrix.double() / matrix.double().norm()
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return torch.as_tensor(x)


@pytest.mark.parametrize(
    ("dtype", "smallest", "error"), [(torch.float32, 0, 1e-6), (torch.float32, -3, 1e-4), (torch.bfloat16, -3, 0.05)]
)
@pytest.mark.parametrize("shape", [(12, 8), (8, 20), (48, 64), (256, 64)])
def test_orthogonal_equals_newton_schulz(
    shape: tuple[int, int], dtype: torch.dtype, smallest: float, error: float
) -> None:
    """Also for matrices whose singular values differ widely, as those of a momentum do."""
    torch.manual_seed(0)
    batch = torch.randn(3, *shape) * torch.logspace(0, smallest, shape[1])
    for matrix, result in zip(batch, orthogonal(batch, dtype, scale=0.5), strict=True):
        expected = 0.5 * newton_schulz(matrix)
        assert result.dtype == torch.float32
        assert (result - expected).abs().max() < error


def test_muon_without_fast_bfloat16_uses_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulated bfloat16 products once took 25 times as long as a whole step, without any warning."""
    cpu = torch.device("cpu")
    monkeypatch.setattr("charrnn.training.optim.muon.fast_half_precisions", lambda device: frozenset())
    assert dtype_for(cpu) == torch.float32
    monkeypatch.setattr("charrnn.training.optim.muon.fast_half_precisions", lambda device: frozenset({torch.bfloat16}))
    assert dtype_for(cpu) == torch.bfloat16


def test_muon_updates_equal_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix without a gradient is not changed; a rate may be a tensor. PyTorch computes in bfloat16."""
    monkeypatch.setattr("charrnn.training.optim.muon.dtype_for", lambda device: torch.float32)
    ours, theirs = matrices(), matrices()
    by_us = Muon(ours, 0.1, 0.95)
    by_them = torch.optim.Muon(
        theirs, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw", ns_steps=ITERATIONS
    )
    for number in range(4):
        for our_matrix, their_matrix in zip(ours[:-1], theirs[:-1], strict=True):
            our_matrix.grad = torch.randn_like(our_matrix)
            their_matrix.grad = our_matrix.grad.clone()
        take(by_us, torch.tensor(0.1) if number % 2 else 0.1)
        take(by_them, 0.1)
    for our_matrix, their_matrix in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our_matrix, their_matrix, atol=0.01, rtol=0)


def test_muon_skipped_step_changes_nothing() -> None:
    skipping, plain = matrices(), matrices()
    gradients = [torch.randn_like(matrix) for matrix in skipping]
    optimizers = [Muon(skipping, 0.1, 0.95), Muon(plain, 0.1, 0.95)]
    for bad in (False, True, False):
        for parameters, optimizer in zip((skipping, plain), optimizers, strict=True):
            if bad and parameters is plain:
                continue
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = torch.full_like(parameter, torch.nan) if bad else gradient.clone()
            optimizer.found_inf = torch.tensor(float(bad))
            before = copy.deepcopy(parameters)
            take(optimizer, 0.1)
            assert all(torch.equal(after, old) for after, old in zip(parameters, before, strict=True)) == bad
    for skipped, expected in zip(skipping, plain, strict=True):
        torch.testing.assert_close(skipped, expected)
