"""The optimizer of embeddings of n-grams."""

import numpy as np
import pytest
import torch

from charrnn.training.optim.row_adam import RowAdam

LR, DECAY, RATE = 0.1, 0.5, 0.9


def expected_rows(gradients: list[torch.Tensor], start: torch.Tensor) -> np.ndarray:
    """Apply the rule of the docstring row by row."""
    table = start.double().numpy().copy()
    squares, counts = np.zeros(len(table)), np.zeros(len(table))
    for gradient in gradients:
        for row, g in enumerate(gradient.double().numpy()):
            if not g.any():
                continue
            counts[row] += 1
            squares[row] = RATE * squares[row] + (1 - RATE) * (g * g).mean()
            table[row] *= 1 - LR * DECAY
            table[row] -= LR * g / (np.sqrt(squares[row] / (1 - RATE ** counts[row])) + 1e-8)
    return table


@pytest.mark.parametrize("is_sparse", [False, True])
def test_only_rows_with_a_gradient_move(is_sparse: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(6, 4, generator=generator)
    gradients = [
        torch.randn(6, 4, generator=generator) * (torch.rand(6, 1, generator=generator) > 0.5) for _ in range(8)
    ]
    gradients = [gradient.index_fill(0, torch.tensor([5]), 0) for gradient in gradients]
    table = torch.nn.Parameter(start.clone())
    optimizer = RowAdam([table], DECAY, RATE)
    optimizer.param_groups[0]["lr"] = LR
    for gradient in gradients:
        table.grad = gradient.to_sparse(1) if is_sparse else gradient.clone()
        optimizer.step()
    np.testing.assert_allclose(table.detach().numpy(), expected_rows(gradients, start), rtol=1e-5, atol=1e-6)
    assert torch.equal(table[5], start[5])


def test_a_gradient_that_overflowed_changes_nothing() -> None:
    table = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = RowAdam([table], DECAY, RATE)
    optimizer.param_groups[0]["lr"], optimizer.found_inf = LR, torch.tensor(1.0)
    table.grad = torch.full((3, 2), torch.inf)
    optimizer.step()
    assert torch.equal(table, torch.ones(3, 2))
    assert not optimizer.state[table]["counts"].any()
