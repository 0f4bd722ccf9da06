"""The optimizer of embeddings of n-grams, of which a batch contains few: it updates only their rows."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

EPSILON = 1e-8


class RowAdam(Optimizer):
    """Adam (Kingma and Ba 2015) without a first moment, and with one second moment for each row of a table.

    A row that occurs in a batch moves by its gradient, divided by the root of the running mean of the squared gradient,
    and decays (Loshchilov and Hutter 2019). The running mean is over the batches in which the row occurs.

    Args:
        parameters: the tables; their gradients may be sparse.
        weight_decay: decoupled weight decay.
        relative_rate: factor of the learning rate.
        decay_rate: decay rate of the second moments.

    Attributes:
        found_inf: a scalar on the device, above 0 to skip the step; named as in PyTorch's fused optimizers.
    """

    found_inf: Tensor | None = None

    def __init__(
        self, parameters: Iterable[Tensor], weight_decay: float, decay_rate: float, relative_rate: float = 1.0
    ) -> None:
        self.relative_rate = relative_rate
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay, "decay_rate": decay_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the rows with a gradient; `lr` may be a number or a scalar on the device."""
        for group in self.param_groups:
            group = {**group, "lr": group["lr"] * self.relative_rate}
            for table in group["params"]:
                if table.grad is None:
                    continue
                state = self.state[table]
                if not state:
                    state["squares"], state["counts"] = table.new_zeros(len(table)), table.new_zeros(len(table))
                if table.grad.is_sparse:
                    self._step_rows(table, group, state)
                else:
                    self._step_all(table, group, state)

    def _step_rows(self, table: Tensor, group: dict[str, float], state: dict[str, Tensor]) -> None:
        """Update the rows of a sparse gradient."""
        assert table.grad is not None
        gradient = table.grad.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        squares, counts = state["squares"][rows], state["counts"][rows]
        update = _update(values, squares, counts, group)
        state["squares"][rows], state["counts"][rows] = squares, counts
        table[rows] = table[rows].mul_(1 - group["lr"] * group["weight_decay"]).sub_(update)

    def _step_all(self, table: Tensor, group: dict[str, float], state: dict[str, Tensor]) -> None:
        """Do the same for a dense gradient, without decisions on the host."""
        assert table.grad is not None
        occurs = table.grad.abs().amax(1) > 0
        if self.found_inf is not None:
            occurs &= self.found_inf == 0
        squares, counts = state["squares"].clone(), state["counts"].clone()
        update = _update(table.grad, squares, counts, group)
        state["squares"].copy_(torch.where(occurs, squares, state["squares"]))
        state["counts"].copy_(torch.where(occurs, counts, state["counts"]))
        new = table * (1 - group["lr"] * group["weight_decay"]) - update
        table.copy_(torch.where(occurs[:, None], new, table))


def _update(gradient: Tensor, squares: Tensor, counts: Tensor, group: dict[str, float]) -> Tensor:
    """Return the changes of rows, (R, D), and update their running means and their numbers of batches, (R,)."""
    squares.lerp_(gradient.square().mean(1), 1 - group["decay_rate"])
    counts += 1
    corrected = squares / (1 - group["decay_rate"] ** counts)
    return gradient * (group["lr"] / (corrected.sqrt() + EPSILON))[:, None]
