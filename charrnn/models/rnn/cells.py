"""The recurrent cells: `cell(x (B, T, D), state (B, S)) → (y (B, T, H), state (B, S))`.

Each cell processes a whole sequence at once, so that fast kernels (cuDNN, oneDNN, the scan) can be used. The docstrings
give the equations in the notation of the papers; σ is the logistic function, ⊙ the elementwise product. Cells keep no
state between calls. Under `torch.autocast`, matrix products use half precision; the output state has the precision of
the input state.

To add a cell, define a class: `class MyCell(Cell, name="mycell", label="My cell")`. All commands then accept its name.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn import config
from charrnn.errors import UsageError
from charrnn.models.kernels.native_network import LayerWeights, NativeCell
from charrnn.models.kernels.recurrence import recurrence
from charrnn.models.kernels.scan import gated_scan, scan

OPEN_GATE = 1.0
"""The initial bias of the gate that keeps the state, so that a new cell remembers (Jozefowicz et al. 2015)."""


CELLS: dict[str, type[Cell]] = {}
"""All cells by their `--cell` name; each class registers itself."""


class Cell(nn.Module):
    """Base class of recurrent cells. A subclass defines names, equations, and its weights for the C code.

    Keywords of a subclass:
        name: the name for `--cell`; without one, the class is not registered.
        label: the name for display, such as "LSTM".
        native: the cell of the C code (`kernels/native/network.h`) with the same equations, which reads the weights
            returned by `native_weights`. Without one, `forward` is used. Subclasses do not inherit it.

    Args:
        input_size: D.
        hidden_size: H.
    """

    label: ClassVar[str]
    native: ClassVar[NativeCell | None]
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """The letters of the vectors of size H that are concatenated in the state; the first one is the output."""
    gate_names: ClassVar[dict[str, str]] = {}
    """The meaning of each gate's letter; empty for a cell without gates."""

    def __init_subclass__(cls, *, name: str = "", label: str = "", native: NativeCell | None = None) -> None:
        super().__init_subclass__()
        cls.label, cls.native = label or name, native
        if not name:
            return
        if name in CELLS:
            raise ValueError(f"cell {name}: already registered as {CELLS[name].__qualname__}; choose another name")
        CELLS[name] = cls
        if name not in config.CELLS:
            config.CELLS.append(name)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

    @classmethod
    def weight_count(cls, input_size: int, hidden_size: int) -> int:
        """Return the number of weights applied to each character: the sizes of all matrices."""
        with torch.device("meta"):
            cell = cls(input_size, hidden_size)
        return sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1)

    def native_weights(self) -> LayerWeights:
        """Return the weights in the form the C code reads, for a cell with `native`."""
        raise NotImplementedError

    @property
    def state_size(self) -> int:
        """The size S of the state."""
        return len(self.state_names) * self.hidden_size

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        """Compute the gates (from 0 to 1) and the values they let in, by their letters in the equations.

        Args:
            x: (B, T, D), the inputs of the cell.
            before: (B, T, S), the state before each step.

        Returns:
            (B, T, H) for each letter; empty for a cell without gates.
        """
        return {}

    def states(self, x: Tensor, state: Tensor) -> Tensor:
        """Compute the state after each step: (B, T, D) and (B, S) → (B, T, S); `forward` returns only the last."""
        if len(self.state_names) == 1:
            y: Tensor = self(x, state)[0]
            return y
        steps = []
        for x_t in torch.split(x, 1, dim=1):
            _, state = self(x_t, state)
            steps.append(state)
        return torch.stack(steps, 1)


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


def make_cell(name: str, input_size: int, hidden_size: int) -> Cell:
    """Return a new cell with random weights.

    Raises:
        UsageError: there is no cell with this name.
    """
    if name not in CELLS:
        raise UsageError(f"--cell {name}: must be one of {', '.join(CELLS)}")
    return CELLS[name](input_size, hidden_size)
