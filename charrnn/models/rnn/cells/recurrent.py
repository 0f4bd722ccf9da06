"""The cells whose gates depend on their state: vanilla RNN, LSTM, GRU."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.models.kernels.native_network import LayerWeights, NativeCell
from charrnn.models.kernels.recurrence import recurrence
from charrnn.models.kernels.scan import scan
from charrnn.models.rnn.cells.base import OPEN_GATE, Cell


class RNN(Cell, name="rnn", label="Vanilla RNN", native=NativeCell.RNN):
    """h_t = tanh(W_x x_t + W_h h_{t−1} + b), the vanilla recurrent network (Elman 1990)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.RNN(input_size, hidden_size, batch_first=True)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if _is_single_step(x):
            h = torch.rnn_tanh_cell(x[:, 0], state, *self.core.all_weights[0])
            return h[:, None], h
        return recurrence(self.core, x, state)

    def native_weights(self) -> LayerWeights:
        w, u, b, b2 = self.core.all_weights[0]
        return LayerWeights(w, u, b + b2)


class LSTM(Cell, name="lstm", label="LSTM", native=NativeCell.LSTM):
    """i, f, o = σ(W x_t + U h_{t−1} + b); g = tanh(W_g x_t + U_g h_{t−1} + b_g); c_t = f ⊙ c_{t−1} + i ⊙ g.

    h_t = o ⊙ tanh(c_t).

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. The state is h and c, concatenated.
    """

    state_names = ("h", "c")
    gate_names: ClassVar[dict[str, str]] = {"i": "input gate", "f": "forget gate", "o": "output gate"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.LSTM(input_size, hidden_size, batch_first=True)
        _set_gate_bias(self.core, gate=1, value=OPEN_GATE)  # PyTorch's order is i, f, g, o

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h, c = state.chunk(2, dim=1)
        if _is_single_step(x):
            h, c = torch.lstm_cell(x[:, 0], (h, c), *self.core.all_weights[0])
            return h[:, None], torch.cat((h, c), dim=1)
        # x too: on MPS, nn.LSTM computes wrong gradients for non-contiguous inputs (PyTorch issue 175189).
        y, after = self.core(x.contiguous(), (h[None].contiguous(), c[None].contiguous()))
        return y.to(state.dtype), torch.cat(after, dim=2)[0].to(state.dtype)

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        w, u, b, b2 = self.core.all_weights[0]
        h = before[..., : self.hidden_size]
        i, f, g, o = (functional.linear(x, w, b) + functional.linear(h, u, b2)).chunk(4, dim=-1)
        return {"i": torch.sigmoid(i), "f": torch.sigmoid(f), "o": torch.sigmoid(o), "g": torch.tanh(g)}

    def states(self, x: Tensor, state: Tensor) -> Tensor:
        h, c = state.chunk(2, dim=1)
        y: Tensor = self(x, state)[0]
        gate = self.gates(x, torch.cat((h[:, None], y[:, :-1]), dim=1))
        return torch.cat((y, scan(gate["f"], gate["i"] * gate["g"], c)), dim=-1)

    def native_weights(self) -> LayerWeights:
        w, u, b, b2 = self.core.all_weights[0]
        return LayerWeights(w, u, b + b2)


class GRU(Cell, name="gru", label="GRU", native=NativeCell.GRU):
    """r, z = σ(W x_t + U h_{t−1} + b); n = tanh(W_n x_t + b_n + r ⊙ (U_n h_{t−1} + c_n)).

    h_t = (1−z) ⊙ n + z ⊙ h_{t−1}.

    Cho et al. 2014, in cuDNN's variant: the reset gate is applied after the matrix product, not before.
    """

    gate_names: ClassVar[dict[str, str]] = {"r": "reset gate", "z": "update gate (keeps)"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.GRU(input_size, hidden_size, batch_first=True)
        _set_gate_bias(self.core, gate=1, value=OPEN_GATE)  # PyTorch's order is r, z, n; a high z keeps the state

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if _is_single_step(x):
            h = torch.gru_cell(x[:, 0], state, *self.core.all_weights[0])
            return h[:, None], h
        return recurrence(self.core, x, state)

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        w, u, b, c = self.core.all_weights[0]
        xr, xz, xn = functional.linear(x, w, b).chunk(3, dim=-1)
        hr, hz, hn = functional.linear(before, u, c).chunk(3, dim=-1)
        r = torch.sigmoid(xr + hr)
        return {"r": r, "z": torch.sigmoid(xz + hz), "n": torch.tanh(xn + r * hn)}

    def native_weights(self) -> LayerWeights:
        w, u, b, c = self.core.all_weights[0]
        gates = 2 * self.hidden_size  # r and z
        return LayerWeights(w, u, torch.cat((b[:gates] + c[:gates], b[gates:])), c[gates:])


def _is_single_step(x: Tensor) -> bool:
    """Return whether to use the single-step function: sequence kernels have a setup cost that one step never repays.

    For example, oneDNN copies all weights into its own layout at each call.
    """
    return x.shape[1] == 1 and not torch.is_grad_enabled()


def _set_gate_bias(core: nn.RNNBase, gate: int, value: float) -> None:
    """Set the sum of PyTorch's two biases for one gate."""
    rows = slice(gate * core.hidden_size, (gate + 1) * core.hidden_size)
    _, _, input_bias, hidden_bias = core.all_weights[0]
    with torch.no_grad():
        input_bias[rows] = value
        hidden_bias[rows] = 0.0
