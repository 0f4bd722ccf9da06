"""Gradients of the loss with respect to earlier inputs, compared with finite differences."""

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, ModelConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.probes.gradients import input_gradients

V, FURTHEST, WARM_UP = 5, 4, 3
PLACES = np.array([7, 9, 12])


def network(cell: str, dropout: float = 0.0) -> RecurrentModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return RecurrentModel(ModelConfig(cell, 2, 3, dropout=dropout), V).eval()


def text() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, V, 14).astype(np.uint8)


def loss(model: RecurrentModel, x: torch.Tensor, state: tuple[torch.Tensor, ...], target: int) -> float:
    logits, _ = model.read_inputs(x, state)
    return -float(torch.log_softmax(logits[0, -1], 0)[target])


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_equal_finite_differences(cell: str) -> None:
    model, ids, step = network(cell), text(), 1e-6
    norms = input_gradients(model, ids, PLACES, FURTHEST, WARM_UP)
    assert norms.shape == (len(PLACES), FURTHEST + 1)
    double = network(cell).double()
    with torch.no_grad():
        for row, t in enumerate(PLACES):
            before = torch.from_numpy(ids[t - FURTHEST - WARM_UP : t + 1].astype(np.int64))[None]
            _, state = double(before[:, :WARM_UP])
            x, _ = double.embed(before[:, WARM_UP:], state)
            for d in (0, 2, FURTHEST):
                slopes = []
                for part in range(x.shape[2]):
                    up, down = x.clone(), x.clone()
                    up[0, FURTHEST - d, part] += step
                    down[0, FURTHEST - d, part] -= step
                    target = int(ids[t + 1])
                    slopes.append((loss(double, up, state, target) - loss(double, down, state, target)) / (2 * step))
                assert norms[row, d] == pytest.approx(np.linalg.norm(slopes), rel=1e-5)


def test_gradients_leave_the_model_unchanged() -> None:
    model, seen = network("lstm", dropout=0.5), []
    before = {name: part.clone() for name, part in model.state_dict().items()}
    norms = input_gradients(model, text(), PLACES, FURTHEST, progress=lambda done, total: seen.append((done, total)))
    assert not model.training
    assert all(torch.equal(before[name], part) for name, part in model.state_dict().items())
    np.testing.assert_array_equal(norms, input_gradients(network("lstm"), text(), PLACES, FURTHEST))
    assert seen == [(3, 3)]
