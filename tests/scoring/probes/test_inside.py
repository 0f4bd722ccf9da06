"""States, gates and predictions, compared with the network run step by step; the projection, with an SVD."""

import itertools

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, ModelConfig
from charrnn.models.rnn import cells
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


UNIT_CELLS = [name for name in CELLS if cells.CELLS[name].has_unit_state]


@pytest.mark.parametrize("cell", UNIT_CELLS)
def test_trace_equals_the_states_step_by_step(cell: str) -> None:
    model = network(cell)
    trace = record_states(model, TEXT)
    state = None
    with torch.inference_mode():
        for t, token in enumerate(IDS.tolist()):
            _, state = model(torch.tensor([[token]]), state)
            np.testing.assert_allclose(trace.values[t], torch.cat(state, 1)[0], atol=1e-5)
    groups = ["layer 1 h", "layer 1 c", "layer 2 h", "layer 2 c"]
    assert list(trace.groups) == (groups if cell == "lstm" else groups[::2])
    assert trace.name(H) == ("layer 1 c 1" if cell == "lstm" else "layer 2 h 1")
    assert trace.top == (slice(2 * H, 3 * H) if cell == "lstm" else slice(H, 2 * H))


def test_trace_of_attention_has_the_outputs_of_each_layer() -> None:
    model = network("attention")
    trace = record_states(model, TEXT)
    assert list(trace.groups) == ["layer 1 h", "layer 2 h"]
    with torch.inference_mode():
        outputs = [layer.after[0] for layer in model.layers(torch.from_numpy(IDS.astype(np.int64))[None])]
    np.testing.assert_allclose(trace.values, torch.cat(outputs, 1), atol=1e-5)


def test_trace_of_documents_starts_each_anew() -> None:
    model = network()
    trace = record_states(model, DOCUMENTS)
    starts = [*DOCUMENTS.starts.tolist(), N]
    with torch.inference_mode():
        for begin, end in itertools.pairwise(starts):
            tokens = torch.from_numpy(np.concatenate(([3], IDS[begin:end].astype(np.int64))))[None]
            _, state = model(tokens)
            np.testing.assert_allclose(trace.values[end - 1], torch.cat(state, 1)[0], atol=1e-5)


@pytest.mark.parametrize("text", [TEXT, DOCUMENTS])
def test_predictions_agree_with_surprisals(text: TextSpan) -> None:
    model = network("gru")
    predicted = predict(model, text, count=3)
    np.testing.assert_allclose(predicted.nats, surprisals(model, text), rtol=1e-5)
    assert (predicted.likeliest[0] == -1).all() == (text.documents is None)
    for t in range(1, N):
        p = predicted.probabilities[t]
        assert (np.diff(p) <= 0).all()
        assert p.sum() <= 1 + 1e-9
        if IDS[t] in predicted.likeliest[t]:
            np.testing.assert_allclose(-np.log(p[predicted.likeliest[t] == IDS[t]]), predicted.nats[t], rtol=1e-9)
        else:
            assert predicted.nats[t] >= -np.log(p[-1])


def test_predictions_of_a_small_vocabulary_are_all() -> None:
    assert predict(network(), IDS, count=99).likeliest.shape == (N, V)


def test_saturation_of_known_gates_is_right() -> None:
    """The biases of the LSTM keep the input gate shut, the forget gate open, and the output gate in between."""
    model = network()
    with torch.no_grad():
        for parameter in model.cells.parameters():
            parameter.zero_()
        for cell in model.cells:
            bias = cell.get_parameter("core.bias_ih_l0")
            bias[:H], bias[H : 2 * H] = -5, 5
    for saturation in measure_saturation(model, TEXT):
        expected = {"input gate": (1, 0), "forget gate": (0, 1), "output gate": (0, 0)}[saturation.gate]
        assert (set(saturation.left), set(saturation.right)) == ({expected[0]}, {expected[1]})


def test_saturation_does_not_depend_on_chunks() -> None:
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
    saturations = measure_saturation(network("rnn"), TEXT)
    assert [(saturation.layer, saturation.gate) for saturation in saturations] == [(1, "state"), (2, "state")]


def test_plane_equals_a_singular_value_decomposition() -> None:
    values = np.random.default_rng(1).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    plane = project_states(values.astype(np.float32))
    centred = values - values.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :2] * s[:2]
    signs = np.sign((plane.points * expected).sum(0))
    np.testing.assert_allclose(plane.points, expected * signs, atol=1e-4)
    np.testing.assert_allclose(plane.share, (s**2 / (s**2).sum())[:2], rtol=1e-4)


def test_plane_without_variance_is_zero() -> None:
    for values in (np.ones((5, 3)), np.ones((1, 3)), np.arange(5.0)[:, None]):
        plane = project_states(values)
        assert plane.points.shape == (len(values), 2)
        assert np.isfinite(plane.points).all()
    assert plane.share.tolist() == [1, 0]


def test_class_of_each_character_is_right() -> None:
    shown = {"a": 0, "é": 0, "語": 0, "A": 1, "7": 2, ".": 3, "\0": 3, " ": 4, "\t": 4, "\xa0": 4, "\n": 5}
    assert {character: CLASSES.index(class_of(character)) for character in shown} == shown


def test_analysis_of_a_long_text_reads_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a trace would be too large, all measurements use fewer characters."""
    monkeypatch.setattr(traces, "MAX_NUMBERS", 30 * 4 * H)
    seen: list[tuple[int, int]] = []
    analysis = analyze_network(network(), TEXT, ["a"] * N, progress=lambda done, total: seen.append((done, total)))
    assert len(analysis.trace.values) == len(analysis.plane.points) == 30
    assert seen[-1] == (60, 60)
    assert len(analysis.gates) == 6
