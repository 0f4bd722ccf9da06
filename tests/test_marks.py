"""Files that texts go on from: as they were written, and spoiled."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from charrnn.checkpoint.marks import KEY, load_marks, save_marks
from charrnn.config import ModelConfig, SamplingConfig
from charrnn.errors import CheckpointError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.batch import Writing
from charrnn.sampling.state import Mark
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("\nabc")


@pytest.fixture
def model() -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(hidden_size=4), 4).eval()


@pytest.fixture
def file(model: RecurrentModel, tmp_path: Path) -> Path:
    writing = Writing(model, LETTERS, SamplingConfig(length=5), [Mark.start(LETTERS, seed) for seed in (1, 2)])
    while not writing.is_over:
        writing.step()
    save_marks(tmp_path / "state", writing.marks, "me")
    return tmp_path / "state"


def test_what_is_loaded_is_what_was_saved(model: RecurrentModel, file: Path) -> None:
    marks = load_marks(file, model, "me")
    assert [(len(mark.ids), mark.begin, mark.seed, mark.position) for mark in marks] == [(5, 0, 1, 5), (5, 0, 2, 5)]
    save_marks(file, marks, "me")
    again = load_marks(file, model, "me")
    for mark, other in zip(marks, again, strict=True):
        assert mark.ids == other.ids
        assert all(map(torch.equal, mark.state or (), other.state or ()))
    save_marks(file, [Mark.start(LETTERS, 3)], "me")
    assert load_marks(file, model, "me") == [Mark.start(LETTERS, 3)]


def test_of_another_model(model: RecurrentModel, file: Path) -> None:
    with pytest.raises(CheckpointError, match="was written with another model"):
        load_marks(file, model, "you")


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        ({"format": 2}, {}, "format: expected 1, found 2"),
        ({"seeds": None}, {}, "seeds"),
        ({"seeds": [1]}, {}, "is damaged"),
        ({"seeds": [1, -2]}, {}, "expected a beginning"),
        ({"begins": [7, 0]}, {}, "expected a beginning"),
        ({"positions": [1, 10**30]}, {}, "expected a beginning"),
        ({"lengths": [5, 4]}, {}, "ids: expected 9 of 2 texts"),
        ({"lengths": [11, -1]}, {}, "ids: expected 10 of 2 texts"),
        ({"lengths": "six"}, {}, "lengths"),
        ({}, {"ids": torch.full((10,), 4, dtype=torch.int32)}, "ids: expected characters below 4"),
        ({}, {"ids": torch.zeros(10)}, "ids: expected 10 of 2"),
        ({"tokens": [0, 4]}, {}, "ids: expected characters below 4"),
        ({"with_state": [1, 0]}, {}, "with_state: expected numbers of texts"),
        ({"with_state": [1]}, {}, "state.0: expected torch.float32 of shape"),
        ({}, {"state.0": torch.zeros(1, 8)}, "state.0: expected torch.float32 of shape"),
        ({}, {"state.0": torch.full((2, 8), torch.nan)}, "state.0: expected numbers"),
        ({}, {"state.1": None}, "is damaged"),
        ({}, {"state.2": torch.zeros(2, 8)}, "is damaged"),
    ],
)
def test_what_is_spoiled_is_one_line(
    model: RecurrentModel, file: Path, header: dict[str, Any], tensors: dict[str, torch.Tensor | None], message: str
) -> None:
    with safe_open(file, framework="pt") as opened:
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        said = json.loads(opened.metadata()[KEY])
    changed = {name: one for name, one in {**found, **tensors}.items() if one is not None}
    save_file(changed, file, {KEY: json.dumps({**said, **header})})
    with pytest.raises(CheckpointError, match=message) as error:
        load_marks(file, model, "me")
    assert "\n" not in str(error.value)


def test_what_is_no_such_file(model: RecurrentModel, tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_marks(file, model, "me")
    file.write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_marks(file, model, "me")
    save_file({"a": torch.zeros(1)}, file, {KEY: "[1"})
    with pytest.raises(CheckpointError, match="is damaged"):
        load_marks(file, model, "me")
