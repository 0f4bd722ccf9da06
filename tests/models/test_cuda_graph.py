"""Blocks of characters sampled ahead on the device; the functions that a GPU captures run directly here."""

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, ModelConfig
from charrnn.errors import ModelError
from charrnn.models.rnn import cuda_graph as recorded
from charrnn.models.rnn.cuda_graph import CudaGraphStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import Logits, PlainStepper, Tokens
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler

V, B = 11, 3


@pytest.fixture(autouse=True)
def _capture_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "STEPS_BEFORE_CAPTURE", 2)
    monkeypatch.setattr(recorded, "BLOCK_LENGTH", 5)


def network(cell: str = "lstm") -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(cell, hidden_size=16), V).eval()


def same_states(first: CudaGraphStepper, second: PlainStepper) -> None:
    for part, want in zip(first.state or (), second.state or (), strict=True):
        torch.testing.assert_close(part, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_cuda_graph_stepper_matches_single_steps(cell: str) -> None:
    model = network(cell)
    with torch.no_grad():
        _, state = model(torch.randint(0, V, (B, 4)))
    ours, plain = CudaGraphStepper(model, model.empty_state(B), state), PlainStepper(model, state)
    draws = [CounterTemperatureSampler(0.8, CounterRNG([1, 2, 3])) for _ in range(2)]
    tokens = np.arange(B)
    for _ in range(19):
        actual, expected = ours.draw_next(tokens, draws[0]), plain.draw_next(tokens, draws[1])
        assert np.array_equal(actual, expected)
        assert draws[0].random.positions == draws[1].random.positions
        same_states(ours, plain)
        tokens = actual


def test_cuda_graph_stepper_leaves_a_block_at_any_place() -> None:
    """For characters other than those drawn, for logits, and for other samplers and temperatures."""
    model = network()
    ours, plain = CudaGraphStepper(model, model.empty_state(B), None), PlainStepper(model, None)
    assert ours.state is None
    randoms = CounterRNG([1, 2, 3]), CounterRNG([1, 2, 3])
    draws = {
        temperature: [CounterTemperatureSampler(temperature, random) for random in randoms]
        for temperature in (0.5, 1.0)
    }
    rng = np.random.default_rng(0)
    tokens = np.arange(B)
    for _ in range(60):
        way = rng.integers(6)
        if way == 0:
            np.testing.assert_allclose(ours.read(tokens), plain.read(tokens), atol=1e-5)
        elif way == 1:
            assert np.array_equal(ours.draw_next(tokens, likeliest), plain.draw_next(tokens, likeliest))
        else:
            pairs = zip((ours, plain), draws[0.5 if way == 2 else 1.0], strict=True)
            actual, expected = (one.draw_next(tokens, draw) for one, draw in pairs)
            assert np.array_equal(actual, expected)
            tokens = actual
        if way == 3:
            tokens = rng.integers(0, V, B)
        same_states(ours, plain)


def likeliest(logits: Logits) -> Tokens:
    tokens: Tokens = logits.argmax(-1)
    return tokens


def test_cuda_graph_stepper_with_nan_logits_raises_model_error() -> None:
    model = network()
    ours, draw, tokens = (
        CudaGraphStepper(model, model.empty_state(B), None),
        CounterTemperatureSampler(1.0, CounterRNG([1, 2, 3])),
        np.arange(B),
    )
    for _ in range(4):
        tokens = ours.draw_next(tokens, draw)
    with torch.no_grad():
        model.head.bias.fill_(torch.nan)
    for _ in range(3):  # drawn before
        tokens = ours.draw_next(tokens, draw)
    with pytest.raises(ModelError, match="NaN or infinite logits"):
        ours.draw_next(tokens, draw)
