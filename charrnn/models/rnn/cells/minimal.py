"""The cells whose gates do not depend on their state, so that a scan computes them: minLSTM, minGRU."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.models.kernels.native_network import LayerWeights, NativeCell
from charrnn.models.kernels.scan import gated_scan
from charrnn.models.rnn.cells.base import OPEN_GATE, Cell


class MinLSTM(Cell, name="minlstm", label="minLSTM", native=NativeCell.MIN_LSTM):
    """f, i = σ(W x_t + b); f', i' = f / (f + i), i / (f + i); h_t = f' ⊙ h_{t−1} + i' ⊙ (W_h x_t + b_h).

    "Were RNNs All We Needed?", arXiv 2410.01201, section 3.2. Gates do not depend on the state, so a scan computes it.
    """

    gate_names: ClassVar[dict[str, str]] = {"f'": "forget gate", "i'": "input gate"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.Linear(input_size, 3 * hidden_size)
        with torch.no_grad():
            self.core.bias[:hidden_size] += OPEN_GATE

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y = gated_scan(self.core(x), state)
        return y, y[:, -1]

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        f, i, c = self.core(x).chunk(3, dim=-1)
        odds = functional.logsigmoid(f) - functional.logsigmoid(i)  # avoids 0 / 0 when both gates are closed
        return {"f'": torch.sigmoid(odds), "i'": torch.sigmoid(-odds), "c": c}

    def native_weights(self) -> LayerWeights:
        return LayerWeights(self.core.weight, None, self.core.bias)


class MinGRU(Cell, name="mingru", label="minGRU", native=NativeCell.MIN_GRU):
    """z = σ(W_z x_t + b_z); h_t = (1−z) ⊙ h_{t−1} + z ⊙ (W_h x_t + b_h).

    "Were RNNs All We Needed?", arXiv 2410.01201, section 3.1.
    """

    gate_names: ClassVar[dict[str, str]] = {"z": "update gate (overwrites)"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.Linear(input_size, 2 * hidden_size)
        with torch.no_grad():
            self.core.bias[:hidden_size] -= OPEN_GATE  # z overwrites: a low z keeps the state

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y = gated_scan(self.core(x), state)
        return y, y[:, -1]

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        z, c = self.core(x).chunk(2, dim=-1)
        return {"z": torch.sigmoid(z), "c": c}

    def native_weights(self) -> LayerWeights:
        return LayerWeights(self.core.weight, None, self.core.bias)
