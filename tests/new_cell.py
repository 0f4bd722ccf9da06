"""A recurrent cell that charrnn does not have, registered for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from charrnn import config
from charrnn.models.rnn.cells import CELLS, Cell

NEW_CELL = "leaky"


@contextmanager
def new_cell() -> Iterator[type[Cell]]:
    """A cell without `core` and unknown to the C code; afterwards nothing of it is left."""

    class LeakyIntegrator(Cell, name=NEW_CELL, label="Leaky integrator"):
        """h_t = a ⊙ h_{t−1} + (1−a) ⊙ tanh(W x_t), a = σ(decay)."""

        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.weight = nn.Parameter(torch.randn(hidden_size, input_size) / input_size**0.5)
            self.decay = nn.Parameter(torch.zeros(hidden_size))

        def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            a, h, steps = torch.sigmoid(self.decay), state, []
            for candidate in torch.tanh(x @ self.weight.T).unbind(1):
                h = a * h + (1 - a) * candidate
                steps.append(h)
            return torch.stack(steps, 1), h

    try:
        yield LeakyIntegrator
    finally:
        del CELLS[NEW_CELL]
        config.CELLS.remove(NEW_CELL)
