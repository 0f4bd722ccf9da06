"""Where attention looks, compared with the weights of single steps."""

import itertools

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig
from charrnn.models.rnn.cells import Attention
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.probes import attention
from charrnn.scoring.probes.attention import FAINT, SEEN, START, HeadWeights, measure_attention
from charrnn.scoring.probes.states import CLASSES, class_of
from charrnn.text.documents import Documents, TextSpan

V, N, W = 7, 60, 12
IDS = np.random.default_rng(0).integers(0, V, N).astype(np.uint8)
CHARACTERS = ["aB1. \n-"[token] for token in IDS]
TEXT = TextSpan(IDS)
DOCUMENTS = TextSpan(IDS, Documents((5,), 6))


def network(cell: str = "lstm,attention", window: int = W) -> RecurrentModel:
    """A network with two heads, whose weights are far from even."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=64, window=window), V).eval()
    with torch.no_grad():
        for cell_ in model.cells:
            if isinstance(cell_, Attention):
                cell_.query.weight.mul_(4)
                cell_.key.weight.mul_(4)
    return model


def weights_step_by_step(model: RecurrentModel, text: TextSpan) -> list[np.ndarray]:
    """The weights of the last layer when it predicts each character, (heads, number of characters read) each."""
    rows: list[np.ndarray] = []
    starts = [*text.starts.tolist(), len(text)]
    for begin, end in itertools.pairwise(starts):
        tokens = text.ids[begin:end].astype(np.int64)
        if text.documents:
            tokens = np.concatenate(([text.documents.start], tokens))
        else:
            rows.append(np.zeros((2, 0)))
        with torch.inference_mode():
            state = model.empty_state(1)
            for t, token in enumerate(tokens[:-1].tolist()):
                layer = list(model.layers(torch.tensor([[token]]), state))[-1]
                assert isinstance(layer.cell, Attention)
                weights = layer.cell.weights(layer.inputs, state[-1])[0, :, 0].numpy()
                rows.append(weights[:, ::-1][:, : t + 1])
                state = model(torch.tensor([[token]]), state)[1]
    return rows


def kept(layer: HeadWeights) -> list[list[dict[int, float]]]:
    """Distance → weight, for each character and head."""
    ends = layer.counts.ravel().cumsum().tolist()
    rows = [
        dict(zip(layer.distances[begin:end].tolist(), layer.weights[begin:end].tolist(), strict=True))
        for begin, end in zip([0, *ends], ends, strict=False)
    ]
    return [rows[i : i + layer.heads] for i in range(0, len(rows), layer.heads)]


@pytest.mark.parametrize("text", [TEXT, DOCUMENTS], ids=["text", "documents"])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_weights_equal_those_of_single_steps(text: TextSpan, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "MAX_WEIGHTS", size * W * 2)
    model = network()
    (layer,) = measure_attention(model, text, CHARACTERS, N)
    assert (layer.layer, layer.heads, layer.counts.shape) == (2, 2, (N, 2))
    rows = weights_step_by_step(model, text)
    assert len(rows) == N
    by_distance, by_class = np.zeros((3, W)), np.zeros((3, len(SEEN)))
    read = sum(row.size > 0 for row in rows)
    for i, (row, found) in enumerate(zip(rows, kept(layer), strict=True)):
        for head in range(2):
            large = {d: w for d, w in enumerate(row[head].tolist(), 1) if w >= FAINT * row[head].max()}
            assert found[head] == pytest.approx(large, abs=1e-5)
        all_rows = np.vstack((row, np.full(row.shape[1], 1 / max(1, row.shape[1]))))
        by_distance[:, : row.shape[1]] += all_rows / read
        begin = text.starts[text.starts <= i].max()
        for d in range(1, row.shape[1] + 1):
            kind = START if i - d < begin else CLASSES.index(class_of(CHARACTERS[i - d]))
            by_class[:, kind] += all_rows[:, d - 1] / read
    np.testing.assert_allclose(layer.by_distance, by_distance[:, : layer.by_distance.shape[1]], atol=1e-5)
    np.testing.assert_allclose(layer.by_class, by_class, atol=1e-5)
    assert layer.by_distance.sum(1) == pytest.approx([1, 1, 1])


def test_each_layer_with_attention_is_measured() -> None:
    layers = measure_attention(network("attention,lstm,attention"), TEXT, CHARACTERS, 10)
    assert [layer.layer for layer in layers] == [1, 3]
    assert [len(layer.counts) for layer in layers] == [10, 10]
    assert measure_attention(network("lstm"), TEXT, CHARACTERS, 10) == ()


def test_weights_beyond_the_limit_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "MAX_WEIGHTS", 10 * W * 2)
    whole = measure_attention(network(), TEXT, CHARACTERS, N)[0]
    monkeypatch.setattr(attention, "MAX_KEPT", len(whole.weights) // 2)
    (layer,) = measure_attention(network(), TEXT, CHARACTERS, N)
    assert 10 < len(layer.counts) < 40
    assert layer.counts.sum() == len(layer.weights) == len(layer.distances)
    assert layer.weights.tolist() == whole.weights[: len(layer.weights)].tolist()
    np.testing.assert_allclose(layer.by_distance, whole.by_distance)


@pytest.mark.parametrize("length", [1, 2])
def test_a_text_of_one_character_has_no_weights(length: int) -> None:
    (layer,) = measure_attention(network(), TEXT[:length], CHARACTERS[:length], 10)
    assert layer.counts.tolist() == [[0, 0], [1, 1]][:length]
    assert np.isfinite(layer.by_distance).all()
