"""Dynamic evaluation."""

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate, evaluate_online
from charrnn.scoring.online import SEGMENT, DynamicEvaluation


@pytest.fixture
def model() -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(hidden_size=16, dropout=0.5), 7).eval()


def test_dynamic_evaluation_learns_and_leaves_the_model_unchanged(
    model: RecurrentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.scoring.online.LEARNING_RATE", 1e-2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = np.tile(np.array([0, 1, 2, 3, 4, 5, 6]), 100)
    static, online = evaluate(model, ids), evaluate_online(DynamicEvaluation(model), ids)
    assert online.characters == static.characters == 700
    assert online.nats_per_char < 0.7 * static.nats_per_char
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training


def test_dynamic_evaluation_is_causal(model: RecurrentModel) -> None:
    ids = np.random.default_rng(0).integers(0, 7, 5 * SEGMENT)
    changed = ids.copy()
    changed[100:] = (changed[100:] + 1) % 7
    original, other = (DynamicEvaluation(model).online_log_probs(text) for text in (ids, changed))
    assert np.array_equal(original[:99], other[:99])
    assert not np.array_equal(original[99:], other[99:])


def test_dynamic_evaluation_first_segment_is_static(model: RecurrentModel) -> None:
    ids = np.random.default_rng(0).integers(0, 7, SEGMENT + 1)
    online = evaluate_online(DynamicEvaluation(model), ids)
    assert online.nats == pytest.approx(evaluate(model, ids).nats, rel=1e-6)
