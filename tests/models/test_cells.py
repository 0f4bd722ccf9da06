"""Every cell compared with a loop written from its equations: values and gradients, in double precision."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from charrnn import config
from charrnn.errors import UsageError
from charrnn.models.rnn.cells import CELLS, Attention, Cell, make_cell

B, T, D, H, W = 3, 7, 5, 4, 5


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


def attention(cell: Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One row and one character at a time; rotations without complex numbers."""
    assert isinstance(cell, Attention)
    rows = [attention_row(cell, row, before) for row, before in zip(x, state, strict=True)]
    ys, after = zip(*rows, strict=True)
    return torch.stack(ys), torch.stack(after)


def attention_row(cell: Attention, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    count, memory = int(state[0]), state[1:].view(2, W - 1, cell.width)
    known = min(count, W - 1)
    keys, values = ([*part[len(part) - known :]] for part in memory)
    ys = []
    for x_t in x:
        stream = x_t if cell.enter is None else cell.enter(x_t)
        q, k, v = (part(normalized(stream)) for part in (cell.query, cell.key, cell.value))
        keys.append(rotated(k, count, cell))
        values.append(v)
        heard = []
        for head in torch.arange(cell.width).chunk(cell.heads):
            query = rotated(q, count, cell)[head]
            scores = torch.stack([query @ key[head] for key in keys[-W:]]) / len(head) ** 0.5
            heard.append(scores.softmax(0) @ torch.stack([value[head] for value in values[-W:]]))
        a = cell.merge(torch.cat(heard))
        y = a + cell.contract(torch.nn.functional.gelu(cell.expand(normalized(stream + a))))
        ys.append(y if cell.enter is None else y + stream)
        count += 1
    missing = [torch.zeros_like(keys[0])] * max(0, W - 1 - len(keys))
    count = count if count < 8 * W else 8 * W + count % (8 * W)
    ends = [torch.cat([*missing, *part[len(part) - (W - 1 - len(missing)) :]]) for part in (keys, values)]
    return torch.stack(ys), torch.cat((torch.tensor([float(count)], dtype=x.dtype), *ends))


def normalized(x: Tensor) -> Tensor:
    return (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()


def rotated(vector: Tensor, position: int, cell: Attention) -> Tensor:
    period, parts = 8 * W, []
    for head in vector.chunk(cell.heads):
        first, second = head[::2], head[1::2]
        pairs = len(first)
        turns = [round((period / (2 * math.pi)) ** (1 - k / max(1, pairs - 1))) for k in range(pairs)]
        angles = torch.tensor([2 * math.pi * m * position / period for m in turns], dtype=vector.dtype)
        cos, sin = angles.cos(), angles.sin()
        parts.append(torch.stack((first * cos - second * sin, first * sin + second * cos), 1).flatten())
    return torch.cat(parts)


NAIVE: dict[str, Callable[[Cell, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "minlstm": minlstm,
    "mingru": mingru,
    "attention": attention,
}


def make_inputs(name: str) -> tuple[Cell, Tensor, Tensor]:
    torch.manual_seed(1)
    cell = make_cell(name, D, H, W).double()
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = torch.randn(B, cell.state_size, dtype=torch.float64)
    if not cell.has_unit_state:
        state[:, 0] = torch.tensor([2, 4, 8 * W - 3])  # characters read; keys and values of missing ones are zeros
        state[0, 1:].view(2, W - 1, -1)[:, :2] = 0
    return cell, x, state.requires_grad_()


def test_cell_names_agree_with_the_configuration() -> None:
    assert set(CELLS) == set(config.CELLS) == set(NAIVE)


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
    rtol, atol = (1e-6, 1e-7) if name == "attention" else (1e-10, 1e-12)  # its rotations have single precision
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


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
    if not cell.has_unit_state:
        assert torch.equal(cell.states(x, state), cell(x, state)[0])
        return
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
