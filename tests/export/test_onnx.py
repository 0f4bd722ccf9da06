"""ONNX graphs of every cell, run by onnxruntime, against the models."""

import json

import numpy as np
import pytest
import torch
from export_models import IDS, NETWORKS, VOCABULARY, V, checkpoint_of, make

from charrnn.errors import UsageError
from charrnn.export.onnx import make_onnx, save_onnx
from charrnn.models.language_model import State

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")
onnx = pytest.importorskip("onnx")


def session_of(kind: str):  # type: ignore[no-untyped-def]
    proto = make_onnx(checkpoint_of(make(kind)))
    onnx.checker.check_model(proto, full_check=True)
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", NETWORKS)
def test_graph_agrees_with_the_model_in_chunks_and_steps(kind: str) -> None:
    model, session = make(kind), session_of(kind)
    tokens = torch.from_numpy(np.stack((IDS[:60], IDS[100:160])))
    state: State | None = None
    states = {part.name: np.zeros((2, part.shape[1]), np.float32) for part in session.get_inputs()[1:]}
    for piece in torch.split(tokens, [1, 20, 1, 1, 37], dim=1):
        with torch.inference_mode():
            expected, state = model(piece, state)
        logits, *after = session.run(None, {"tokens": piece.numpy(), **states})
        states = dict(zip(states, after, strict=True))
        np.testing.assert_allclose(logits, expected.numpy(), atol=2e-4, rtol=2e-4)
    assert state is not None
    for actual, part in zip(states.values(), state, strict=True):
        np.testing.assert_allclose(actual, part.numpy(), atol=2e-4, rtol=2e-4)


def test_metadata_has_what_a_program_needs() -> None:
    proto = make_onnx(checkpoint_of(make("gru"), documents="\n"))
    found = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert found["vocabulary"] == list(VOCABULARY.characters or ())
    assert found["start"] == VOCABULARY.start
    assert found["separator"] == [VOCABULARY.start]
    assert (found["model"], found["text"], found["unknown"]) == ("gru 2x24", "play.txt", None)
    assert [part.name for part in proto.graph.output] == ["logits", "state_1_after", "state_2_after"]
    assert proto.graph.output[0].type.tensor_type.shape.dim[2].dim_value == V


@pytest.mark.parametrize(("kind", "words"), [("mkn", "only networks"), ("ngram embedding", "--ngram-embedding 0")])
def test_what_onnx_cannot_hold_is_refused(kind: str, words: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=words):
        save_onnx(checkpoint_of(make(kind)), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
