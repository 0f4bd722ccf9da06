"""Steppers of combined models: they agree with the model, and rows are independent."""

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig
from charrnn.models.interpolated import InterpolatedModel, make_network
from charrnn.models.kernels import build
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.stepper import PlainStepper, make_stepper

needs_compiler = pytest.mark.skipif(build.native_library() is None, reason="no C compiler with OpenMP")
KINDS = ["ensemble", "mixture"]
V, B = 65, 5
TOKENS = np.random.default_rng(0).integers(0, V, (12, B))


def make(kind: str) -> InterpolatedModel | MixtureModel:
    torch.manual_seed(0)
    networks = make_network(ModelConfig(hidden_size=8, networks=3), V)
    assert isinstance(networks, InterpolatedModel)
    if kind == "ensemble":
        return networks.eval()
    counts = fit_ngram(np.random.default_rng(0).integers(0, V, 400), V, NgramConfig(order=4))
    assert isinstance(counts, NgramModel)
    mixture = MixtureModel(networks, [counts])
    for weight in mixture.gate.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return mixture.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_combined_stepper_matches_the_model(kind: str) -> None:
    model = make(kind)
    first, plain = make_stepper(model, None, B), PlainStepper(model, None)
    assert first.state is None
    for number, now in enumerate(TOKENS):
        if number == 5:
            first = make_stepper(model, first.state, B)
        actual, expected = (torch.from_numpy(one.read(now)).double().log_softmax(-1) for one in (first, plain))
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    assert first.state is not None
    assert plain.state is not None
    for part, want in zip(first.state, plain.state, strict=True):
        torch.testing.assert_close(part, want, atol=1e-5, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_combined_stepper_row_is_bit_identical_alone_and_in_a_batch(kind: str) -> None:
    model = make(kind)
    together, alone = make_stepper(model, None, B), [make_stepper(model) for _ in range(B)]
    for now in TOKENS:
        rows = np.concatenate([one.read(now[i : i + 1]) for i, one in enumerate(alone)])
        assert np.array_equal(together.read(now), rows)


@pytest.mark.parametrize("kind", KINDS)
def test_combined_stepper_of_spoiled_weights_gives_nan_without_a_warning(kind: str) -> None:
    """The model gives NaN too, and the sampler raises the error. Large weights overflow in the same way."""
    model = make(kind)
    networks = model.network if isinstance(model, MixtureModel) else model
    assert networks
    with torch.no_grad():
        for head in (part for part in networks.modules() if isinstance(part, torch.nn.Linear)):
            head.bias.fill_(torch.inf)
    assert np.isnan(make_stepper(model, None, B).read(TOKENS[0])).all()
