"""States, gates and predictions, against the network asked step by step; the plane against a decomposition."""

import itertools

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, ModelConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.probes import gates, predictions, traces
from charrnn.scoring.probes.analyze import analyze_network
from charrnn.scoring.probes.gates import measure_saturation
from charrnn.scoring.probes.predictions import predict
from charrnn.scoring.probes.states import CLASSES, class_of, project_states
from charrnn.scoring.probes.traces import record_states
from charrnn.scoring.surprisal import surprisals
from charrnn.text.documents import Documents, TextSpan

V, N, H = 7, 40, 5
IDS = np.random.default_rng(0).integers(0, V, N).astype(np.uint8)
TEXT = TextSpan(IDS)
DOCUMENTS = TextSpan(IDS, Documents((0,), 3))


def network(cell: str = "lstm") -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(cell=cell, hidden_size=H), V).eval()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (predictions, traces):
        monkeypatch.setattr(module, "CHUNK_CHARS", 16)


@pytest.mark.parametrize("cell", CELLS)
def test_trace_equals_the_states_step_by_step(cell: str) -> None:
    model = network(cell)
    found = record_states(model, TEXT)
    state = None
    with torch.inference_mode():
        for t, token in enumerate(IDS.tolist()):
            _, state = model(torch.tensor([[token]]), state)
            np.testing.assert_allclose(found.values[t], torch.cat(state, 1)[0], atol=1e-5)
    groups = ["layer 1 h", "layer 1 c", "layer 2 h", "layer 2 c"]
    assert list(found.groups) == (groups if cell == "lstm" else groups[::2])
    assert found.name(H) == ("layer 1 c 1" if cell == "lstm" else "layer 2 h 1")
    assert found.top == (slice(2 * H, 3 * H) if cell == "lstm" else slice(H, 2 * H))


def test_trace_of_documents_starts_each_anew() -> None:
    model = network()
    found = record_states(model, DOCUMENTS)
    starts = [*DOCUMENTS.starts.tolist(), N]
    with torch.inference_mode():
        for begin, end in itertools.pairwise(starts):
            tokens = torch.from_numpy(np.concatenate(([3], IDS[begin:end].astype(np.int64))))[None]
            _, state = model(tokens)
            np.testing.assert_allclose(found.values[end - 1], torch.cat(state, 1)[0], atol=1e-5)


@pytest.mark.parametrize("text", [TEXT, DOCUMENTS])
def test_predictions_agree_with_surprisals(text: TextSpan) -> None:
    model = network("gru")
    found = predict(model, text, count=3)
    np.testing.assert_allclose(found.nats, surprisals(model, text), rtol=1e-5)
    assert (found.likeliest[0] == -1).all() == (text.documents is None)
    for t in range(1, N):
        p = found.probabilities[t]
        assert (np.diff(p) <= 0).all()
        assert p.sum() <= 1 + 1e-9
        if IDS[t] in found.likeliest[t]:
            np.testing.assert_allclose(-np.log(p[found.likeliest[t] == IDS[t]]), found.nats[t], rtol=1e-9)
        else:
            assert found.nats[t] >= -np.log(p[-1])


def test_predictions_of_a_small_vocabulary_are_all() -> None:
    assert predict(network(), IDS, count=99).likeliest.shape == (N, V)


def test_saturation_of_known_gates_is_right() -> None:
    """An LSTM whose biases hold the input gate shut, the forget gate open, and the output gate in the middle."""
    model = network()
    with torch.no_grad():
        for parameter in model.cells.parameters():
            parameter.zero_()
        for cell in model.cells:
            bias = cell.get_parameter("core.bias_ih_l0")
            bias[:H], bias[H : 2 * H] = -5, 5
    for one in measure_saturation(model, TEXT):
        expected = {"input gate": (1, 0), "forget gate": (0, 1), "output gate": (0, 0)}[one.gate]
        assert (set(one.left), set(one.right)) == ({expected[0]}, {expected[1]})


def test_saturation_in_any_chunks_is_one() -> None:
    model = network("mingru")
    with torch.inference_mode():
        layer = next(model.layers(torch.from_numpy(IDS.astype(np.int64))[None]))
        z = layer.cell.gates(layer.inputs, layer.before)["z"][0].numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "SHUT", 0.3)
        patch.setattr(gates, "OPEN", 0.35)
        first = measure_saturation(model, TEXT)[0]
    np.testing.assert_allclose(first.left, (z < 0.3).mean(0))
    np.testing.assert_allclose(first.right, (z > 0.35).mean(0))
    assert first.left.max() > 0


def test_saturation_of_a_vanilla_network_is_of_its_tanh() -> None:
    assert [(one.layer, one.gate) for one in measure_saturation(network("rnn"), TEXT)] == [(1, "state"), (2, "state")]


def test_plane_equals_a_singular_value_decomposition() -> None:
    values = np.random.default_rng(1).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    found = project_states(values.astype(np.float32))
    centred = values - values.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :2] * s[:2]
    signs = np.sign((found.points * expected).sum(0))
    np.testing.assert_allclose(found.points, expected * signs, atol=1e-4)
    np.testing.assert_allclose(found.share, (s**2 / (s**2).sum())[:2], rtol=1e-4)


def test_plane_without_variance_is_zero() -> None:
    for values in (np.ones((5, 3)), np.ones((1, 3)), np.arange(5.0)[:, None]):
        found = project_states(values)
        assert found.points.shape == (len(values), 2)
        assert np.isfinite(found.points).all()
    assert found.share.tolist() == [1, 0]


def test_class_of_each_character_is_right() -> None:
    shown = {"a": 0, "é": 0, "語": 0, "A": 1, "7": 2, ".": 3, "\0": 3, " ": 4, "\t": 4, "\xa0": 4, "\n": 5}
    assert {one: CLASSES.index(class_of(one)) for one in shown} == shown


def test_analysis_of_a_long_text_reads_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace that would be too large is of fewer characters, and so is the rest."""
    monkeypatch.setattr(traces, "MAX_NUMBERS", 30 * 4 * H)
    told: list[tuple[int, int]] = []
    found = analyze_network(network(), TEXT, ["a"] * N, progress=lambda done, total: told.append((done, total)))
    assert len(found.trace.values) == len(found.plane.points) == 30
    assert told[-1] == (60, 60)
    assert len(found.gates) == 6
