"""Invalid training states: each gives a one-line error with the file, the key, and the expected and actual values."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from spoiling import QUICK, Edit, at, changed, corpus_in, put, refusal, set_to, whole_files
from torch import Tensor

from charrnn.checkpoint import load_resume_state
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import Streams
from charrnn.training.loop import Training
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.resume import open_training

Header = dict[str, Any]
Tensors = dict[str, Tensor]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.safetensors"


def test_flipped_bit_in_state_is_an_error(bad: Path) -> None:
    """In the header, weights, moments, carried states or generators: training never resumes from a damaged state."""
    file = whole_files()["last"]
    chance = random.Random(0)
    for place in (*range(24), *chance.sample(range(len(file)), 80)):
        spoiled = bytearray(file)
        spoiled[place] ^= 1 << chance.randrange(8)
        bad.write_bytes(spoiled)
        refusal(bad, open_training)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_to("progress.number", -1), "progress.number: expected a number from 1 to 6, found -1"),
        (set_to("progress.number", 10**12), "progress.number: expected a number from 1 to 6, found 1000000000000"),
        (set_to("progress.plan", [10**12, 1, 1]), "progress.plan: steps: expected a number from 1 to 2147483647, foun"),
        (set_to("progress.plan", [6, 0, 1]), "progress.plan: validate_every: expected a number from 1 to 2147483647, "),
        (set_to("progress.plan", [6]), "progress.plan: expected 3 numbers, found 1"),
        (set_to("progress.finished", 2), "progress.finished: expected a number from 0 to 1, found 2"),
        (set_to("progress.finished", -1), "progress.finished: expected a number from 0 to 1, found -1"),
        (set_to("progress.best_step", 0), "progress.best_step: expected a number from 1 to 6, found 0"),
        (set_to("progress.best_characters", 0), "progress.best_characters: expected a number from 1 to"),
        (set_to("progress.best_nats", float("nan")), "header.progress.best_nats: expected float, found nan"),
        (set_to("progress.seconds", -1.0), "progress.seconds: expected a number from 0 to"),
        (set_to("progress.halvings", 10**9), "progress.halvings: expected a number from 0 to 3, found 1000000000"),
        (set_to("progress.model.hidden_size", 10**9), "header.progress.model: expected lstm 2x4, found lstm 2x1000000"),
        (set_to("progress", None), "header.progress: expected TrainingProgress, found None"),
        (put("training.random.cpu", None), "training.random.cpu: expected torch.uint8 of shape (5056,), found None"),
        (put("training.random.cpu", Tensor.float), "training.random.cpu: expected torch.uint8 of shape (5056,)"),
        (put("training.random.cpu", torch.zeros_like), "training.random.cpu: expected 625 as the sum of two numbers, "),
        (put("training.random.cpu", at(12, 0)), "Invalid mt19937 state"),
        (put("training.loss", at((), torch.nan)), "training.loss: expected finite numbers"),
        (put("training.carried.1", lambda old: old[:1]), "training.carried.1: expected torch.float32 of shape (2, 8)"),
        (put("training.carried.1", at((0, 0), torch.inf)), "training.carried.1: expected finite numbers"),
        (put("training.optimizer.0.1.exp_avg", Tensor.double), "training.optimizer.0.1.exp_avg: expected torch.float3"),
        (put("training.optimizer.0.1.exp_avg", at((0,), torch.nan)), "training.optimizer.0.1.exp_avg: expected finite"),
        (put("training.optimizer.1.0.momentum", lambda old: old[0]), "training.optimizer.1.0.momentum: expected torch"),
        (put("training.finished.0.head.bias", None), "training.finished.0.head.bias: expected float32 of shape (15,),"),
    ],
)  # fmt: skip
def test_damaged_state_is_one_line_error(tmp_path: Path, bad: Path, edit: Edit, message: str) -> None:
    bad.write_bytes(changed(whole_files()["last"], edit))
    before = torch.get_rng_state()
    assert message in refusal(bad, lambda path: _resume(path, tmp_path))
    torch.set_rng_state(before)


def _resume(path: Path, folder: Path) -> None:
    resumed, corpus = open_training(path), corpus_in(folder)
    network = RecurrentModel(resumed.checkpoint.model.config, len(corpus.vocabulary))  # type: ignore[arg-type]
    checkpoints = CheckpointManager(folder / "it.safetensors", Run(corpus, resumed.resume_state.progress.model, QUICK))
    checkpoints.begin(Training(network, Streams(corpus.train.ids, 2, 8), corpus.validation, QUICK, plan=resumed.plan))
    resumed.restore(checkpoints)


def test_rng_state_beyond_its_numbers_is_refused(bad: Path, tmp_path: Path) -> None:
    """PyTorch accepts such a state, and reads memory out of bounds."""

    def edit(header: Header, tensors: Tensors) -> None:
        state = tensors["training.random.cpu"].clone()
        state[8:12] = torch.tensor([624], dtype=torch.int32).view(torch.uint8)
        state[16:24] = torch.tensor([624]).view(torch.uint8)
        tensors["training.random.cpu"] = state

    bad.write_bytes(changed(whole_files()["last"], edit))
    assert "expected 625 as the sum of two numbers, found 624 and 624" in refusal(
        bad, lambda path: _resume(path, tmp_path)
    )


def test_resume_of_other_checkpoints_is_refused(bad: Path) -> None:
    bad.write_bytes(whole_files()["mkn"])
    assert (
        refusal(bad, load_resume_state) == "contains no training state; resume from the checkpoint that ends with -last"
    )
