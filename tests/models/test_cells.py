"""Every cell compared with a loop written from its equations: values and gradients, in double precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from charrnn import config
from charrnn.errors import UsageError
from charrnn.models.rnn.cells import CELLS, Cell, make_cell

B, T, D, H = 3, 7, 5, 4


def rnn(cell: Cell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    w, u, b, c = cell.core.parameters()  # type: ignore[union-attr]
    ys = []
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ w.T + b + h @ u.T + c)
        ys.append(h)
    return torch.stack(ys, 1), h


def lstm(cell: Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    w, u, b, b2 = cell.core.parameters()  # type: ignore[union-attr]
    h, c = state[:, :H], state[:, H:]
    ys = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w.T + h @ u.T + b + b2).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        ys.append(h)
    return torch.stack(ys, 1), torch.cat((h, c), 1)


def gru(cell: Cell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    w, u, b, c = cell.core.parameters()  # type: ignore[union-attr]
    ys = []
    for t in range(x.shape[1]):
        xr, xz, xn = (x[:, t] @ w.T + b).chunk(3, dim=1)
        hr, hz, hn = (h @ u.T + c).chunk(3, dim=1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        h = (1 - z) * torch.tanh(xn + r * hn) + z * h
        ys.append(h)
    return torch.stack(ys, 1), h


def minlstm(cell: Cell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    w, b = cell.core.parameters()  # type: ignore[union-attr]
    ys = []
    for t in range(x.shape[1]):
        f, i, candidate = (x[:, t] @ w.T + b).chunk(3, dim=1)
        f, i = torch.sigmoid(f), torch.sigmoid(i)
        h = f / (f + i) * h + i / (f + i) * candidate
        ys.append(h)
    return torch.stack(ys, 1), h


def mingru(cell: Cell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    w, b = cell.core.parameters()  # type: ignore[union-attr]
    ys = []
    for t in range(x.shape[1]):
        z, candidate = (x[:, t] @ w.T + b).chunk(2, dim=1)
        z = torch.sigmoid(z)
        h = (1 - z) * h + z * candidate
        ys.append(h)
    return torch.stack(ys, 1), h


NAIVE: dict[str, Callable[[Cell, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "minlstm": minlstm,
    "mingru": mingru,
}


def make_inputs(name: str) -> tuple[Cell, Tensor, Tensor]:
    torch.manual_seed(1)
    cell = make_cell(name, D, H).double()
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = torch.randn(B, cell.state_size, dtype=torch.float64, requires_grad=True)
    return cell, x, state


def test_cell_names_agree_with_the_configuration() -> None:
    assert list(CELLS) == config.CELLS == list(NAIVE)


@pytest.mark.parametrize("name", CELLS)
def test_cell_matches_its_equations_with_gradients(name: str) -> None:
    cell, x, state = make_inputs(name)
    inputs = [x, state, *cell.parameters()]
    results = []
    for forward in (cell, lambda x, state: NAIVE[name](cell, x, state)):
        y, after = forward(x, state)
        # Weights of every output differ, so that no two mistakes cancel.
        loss = (y * torch.arange(y.numel()).view_as(y).cos()).sum()
        loss = loss + (after * torch.arange(after.numel()).view_as(after).sin()).sum()
        results.append((y, after, *torch.autograd.grad(loss, inputs)))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_cell_in_single_steps_matches_the_sequence(name: str) -> None:
    """Without gradients, a single step has its own implementation (`_is_single_step`), with the same result."""
    cell, x, state = make_inputs(name)
    with torch.no_grad():
        y, after = cell(x, state)
        for t in range(T):
            y_t, state = cell(x[:, t : t + 1], state)
            torch.testing.assert_close(y_t, y[:, t : t + 1], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state, after, rtol=1e-10, atol=1e-12)


RECOMBINED: dict[str, Callable[[dict[str, Tensor], Tensor], Tensor]] = {
    "lstm": lambda g, before: torch.cat((g["o"] * torch.tanh(_c(g, before)), _c(g, before)), -1),
    "gru": lambda g, before: (1 - g["z"]) * g["n"] + g["z"] * before,
    "minlstm": lambda g, before: g["f'"] * before + g["i'"] * g["c"],
    "mingru": lambda g, before: (1 - g["z"]) * before + g["z"] * g["c"],
}


def _c(gates: dict[str, Tensor], before: Tensor) -> Tensor:
    return gates["f"] * before[..., H:] + gates["i"] * gates["g"]


@pytest.mark.parametrize("name", CELLS)
def test_cell_states_follow_from_its_gates(name: str) -> None:
    """The gates give each state from the previous one by the equations; the last state is the cell's own."""
    cell, x, state = make_inputs(name)
    with torch.no_grad():
        states = cell.states(x, state)
        torch.testing.assert_close(states[:, -1], cell(x, state)[1], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(Cell.states(cell, x, state), states, rtol=1e-10, atol=1e-12)
        before = torch.cat((state[:, None], states[:, :-1]), 1)
        gates = cell.gates(x, before)
    assert states.shape == (B, T, cell.state_size)
    assert gates.keys() >= cell.gate_names.keys()
    assert (name == "rnn") == (not gates)
    if gates:
        torch.testing.assert_close(RECOMBINED[name](gates, before), states, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "keeps"), [("lstm", 0.73), ("gru", 0.73), ("minlstm", 0.6), ("mingru", 0.73)])
def test_fresh_cell_keeps_most_of_its_state(name: str, keeps: float) -> None:
    """With zero inputs and candidates, one step multiplies the state by the open gate: σ(1) = 0.73, and for minLSTM
    σ(1) / (σ(1) + σ(0)) = 0.59.
    """
    cell = make_cell(name, D, H)
    with torch.no_grad():
        for key, parameter in cell.named_parameters():
            if "weight" in key:
                parameter.zero_()
        state = torch.ones(1, cell.state_size)
        _, after = cell(torch.zeros(1, 1, D), state)
        _, before = cell(torch.zeros(1, 1, D), torch.zeros_like(state))
    kept = (after - before)[:, -H:]
    assert kept.mean().item() == pytest.approx(keeps, abs=0.06)


def test_minlstm_with_shut_gates_stays_finite() -> None:
    """The quotient f / (f + i) was once 0 / 0 in single precision, when both gates were far below zero."""
    cell = make_cell("minlstm", 1, 1)
    with torch.no_grad():
        cell.core.weight.zero_()  # type: ignore[union-attr, operator]
        cell.core.bias.copy_(torch.tensor([-200.0, -200.0, 1.0]))  # type: ignore[union-attr, operator]
    y, _ = cell(torch.zeros(1, 2, 1), torch.zeros(1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.5, 0.75]))


def test_make_cell_with_unknown_name_raises_usage_error() -> None:
    with pytest.raises(UsageError, match="--cell transformer: must be one of rnn, lstm"):
        make_cell("transformer", 1, 1)
