"""Networks in C compared with the modules they are copied from."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from charrnn.config import CELLS, ModelConfig
from charrnn.models.kernels import build
from charrnn.models.kernels.native_network import MAX_TABLE_ROWS, NativeCell
from charrnn.models.rnn import cells
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.native import NativeStepper
from charrnn.models.stepper import PlainStepper, make_stepper

needs_compiler = pytest.mark.skipif(build.native_library() is None, reason="no C compiler with OpenMP")
NATIVE = [name for name in CELLS if cells.CELLS[name].native is not None]
SHAPES = {
    "small": (ModelConfig(num_layers=1, hidden_size=3), 5),
    "odd": (ModelConfig(num_layers=3, hidden_size=33, embedding_size=20), 11),
    "wide input": (ModelConfig(num_layers=2, hidden_size=16, embedding_size=40, residual=False), 70),
    "no table": (ModelConfig(num_layers=2, hidden_size=20), MAX_TABLE_ROWS + 1),
}


def make(config: ModelConfig, vocab_size: int, cell: str = "lstm") -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(**{**vars(config), "cell": cell}), vocab_size).eval()


def texts(vocab_size: int, rows: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, vocab_size, (length, rows))


@needs_compiler
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", NATIVE)
def test_native_stepper_matches_the_modules(cell: str, shape: str) -> None:
    model = make(*SHAPES[shape], cell)
    tokens = torch.from_numpy(texts(model.vocab_size, 9, 12))
    with torch.no_grad():
        _, state = model(tokens[:4].t())
        expected, end = model(tokens[4:].t(), state)
    ours = make_stepper(model, state, 9)
    assert isinstance(ours, NativeStepper)
    for t, now in enumerate(tokens[4:].numpy()):
        torch.testing.assert_close(torch.from_numpy(ours.read(now)), expected[:, t], atol=1e-5, rtol=1e-5)
    assert ours.state is not None
    for actual, want in zip(ours.state, end, strict=True):
        torch.testing.assert_close(actual, want, atol=1e-5, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", NATIVE)
def test_native_read_matches_the_modules_with_any_number_of_threads(
    cell: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers run in parallel, with fewer threads than layers and with more."""
    monkeypatch.setattr(build, "GRAIN_SIZE", 1)
    model = make(*SHAPES[shape], cell)
    tokens = torch.from_numpy(texts(model.vocab_size, 1, 400)).t()
    expected, end = model(tokens)
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            with torch.no_grad():
                first, state = model(tokens[:, :17])
                second, state = model(tokens[:, 17:], state)
            torch.testing.assert_close(torch.cat((first, second), 1), expected, atol=1e-5, rtol=1e-5)
            for actual, want in zip(state, end, strict=True):
                torch.testing.assert_close(actual, want, atol=1e-5, rtol=1e-5)
    finally:
        torch.set_num_threads(before)


@needs_compiler
@pytest.mark.parametrize("cell", NATIVE)
def test_native_row_is_bit_identical_alone_and_in_a_batch(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GRAIN_SIZE", 1)
    model = make(*SHAPES["odd"], cell)
    tokens = texts(model.vocab_size, 23, 6)
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            together, alone = make_stepper(model, None, 23), [make_stepper(model) for _ in range(23)]
            for now in tokens:
                rows = np.concatenate([one.read(now[i : i + 1]) for i, one in enumerate(alone)])
                assert np.array_equal(together.read(now), rows)
            for i, one in enumerate(alone):
                for part, other in zip(together.state or (), one.state or (), strict=True):
                    assert torch.equal(part[i : i + 1], other)
    finally:
        torch.set_num_threads(before)


@needs_compiler
@pytest.mark.parametrize("cell", NATIVE)
def test_native_read_is_bit_identical_to_steps(cell: str) -> None:
    """So a text does not depend on the length of its prompt, or on where it was interrupted."""
    model = make(*SHAPES["odd"], cell)
    tokens = texts(model.vocab_size, 1, 100)
    with torch.no_grad():
        logits, state = model(torch.from_numpy(tokens).t())
    steps = make_stepper(model)
    assert all(np.array_equal(steps.read(now), logits[:, t].numpy()) for t, now in enumerate(tokens))
    assert all(torch.equal(part, other) for part, other in zip(steps.state or (), state, strict=True))


@pytest.fixture(params=["c", "pytorch"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pytorch":
        monkeypatch.setenv(build.SWITCH, "0")


@pytest.mark.usefixtures("_way")
def test_stepper_state_is_a_copy_that_another_stepper_continues() -> None:
    model = make(*SHAPES["odd"])
    first = make_stepper(model, None, 2)
    assert first.state is None
    tokens = texts(model.vocab_size, 2, 6)
    for now in tokens[:3]:
        first.read(now)
    state = first.state
    assert state is not None
    second, copies = make_stepper(model, state, 2), [part.clone() for part in state]
    for now in tokens[3:]:
        assert np.array_equal(first.read(now), second.read(now))
    assert all(torch.equal(part, other) for part, other in zip(state, copies, strict=True))


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("fused", [False, True])
def test_stepper_after_a_change_of_weights_uses_the_new_ones(fused: bool) -> None:
    """Training samples from the model now and then. PyTorch does not count changes by fused optimizers."""
    model = make(*SHAPES["small"])
    now = np.array([1])
    actual = [make_stepper(model).read(now).copy()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    model(torch.zeros(1, 2, dtype=torch.long))[0].square().sum().backward()
    optimizer.step()
    actual.append(make_stepper(model).read(now).copy())
    model.load_state_dict(make(*SHAPES["small"]).state_dict())
    actual.append(make_stepper(model).read(now).copy())
    model.head.bias.data = torch.ones(5)
    actual.append(make_stepper(model).read(now).copy())
    assert all(not np.array_equal(a, b) for a, b in pairwise(actual))
    assert np.array_equal(actual[0], actual[2])
    other = copy.deepcopy(model)
    assert np.array_equal(make_stepper(other).read(now), actual[3])


@needs_compiler
def test_native_network_is_built_once_until_weights_change() -> None:
    model = make(*SHAPES["small"])
    assert model.native() is model.native()
    with torch.inference_mode():  # nobody counts the changes of such weights
        other = make(*SHAPES["small"])
        before = other.native()
        assert other.native() is before
        other.head.weight.add_(1)
        assert other.native() is not before


@needs_compiler
def test_native_network_of_what_c_cannot_do_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(ModelConfig(hidden_size=3, dropout=0.5), 5)
    assert isinstance(make_stepper(model), NativeStepper)
    assert model.train().native() is None, "dropout"
    assert copy.deepcopy(model).eval().double().native() is None
    with torch.autocast("cpu", torch.bfloat16):
        assert model.eval().native() is None
    monkeypatch.setenv(build.SWITCH, "0")
    assert isinstance(make_stepper(model), PlainStepper)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("token", [-1, 5])
def test_native_network_with_unknown_token_raises_index_error(token: int) -> None:
    model = make(*SHAPES["small"])
    with pytest.raises(IndexError):
        make_stepper(model).read(np.array([token]))
    with pytest.raises(IndexError), torch.no_grad():
        model(torch.full((1, 20), token))


@pytest.mark.parametrize("is_fused", [True, False])
def test_native_network_after_an_optimizer_step_uses_the_new_weights(is_fused: bool) -> None:
    """PyTorch does not count changes by fused optimizers, so validation once used old weights."""
    model = RecurrentModel(ModelConfig(hidden_size=8), 5).eval()
    tokens = torch.tensor([[1, 2, 3]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=is_fused)
    for _ in range(2):
        with torch.inference_mode():
            fast = make_stepper(model).read(np.array([1]))[0].copy()
            read, _ = model(tokens)
        expected, _ = model(tokens)
        torch.testing.assert_close(read, expected.detach(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(torch.from_numpy(fast), expected[0, 0].detach(), atol=1e-5, rtol=1e-5)
        expected.sum().backward()
        optimizer.step()


@needs_compiler
@pytest.mark.parametrize("state", [(), (torch.zeros(1, 3),), (torch.zeros(2, 6),), (torch.zeros(1, 6),) * 2])
def test_native_stepper_with_a_state_of_another_shape_raises_value_error(state: tuple[torch.Tensor, ...]) -> None:
    """The C code would read out of bounds."""
    model = make(*SHAPES["small"])
    with torch.inference_mode(), pytest.raises(ValueError, match="state: expected"):
        model(torch.tensor([[1, 2]]), state)
    with pytest.raises(ValueError, match="state: expected"):
        make_stepper(model, state)


@needs_compiler
def test_native_network_of_a_cell_that_c_does_not_know_gives_no_numbers() -> None:
    """An unknown cell was once silently treated as a minGRU."""
    model = make(*SHAPES["small"], "mingru")
    network = model.native()
    assert network is not None
    network._network.cell = len(NativeCell)
    assert np.isnan(NativeStepper(network, None, 1).read(np.array([1]))).all()
