"""A resumed training gives the same results as an uninterrupted one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.errors import CheckpointError
from charrnn.text.corpus import Corpus
from charrnn.training.ensemble import train_ensemble
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.resume import Resumed, find_training, open_training
from charrnn.training.step import StepResult, StopFlag

CPU = torch.device("cpu")
QUICK = TrainingConfig(steps=12, seq_length=16, batch_size=4, warmup_steps=5, validate_every=4, seed=3)
DROPPING = ModelConfig(hidden_size=16, dropout=0.3)


def run(
    corpus: Corpus,
    path: Path,
    model: ModelConfig = DROPPING,
    stop_at: int | None = None,
    resumed: Resumed | None = None,
    config: TrainingConfig = QUICK,
) -> list[StepResult]:
    """Run a training or resume one; `stop_at` counts the steps of this run."""
    checkpoints = CheckpointManager(path, Run(corpus, model, config))
    stop, steps = StopFlag(), []
    for step, _ in train_ensemble(checkpoints, resumed, 3, stop):
        steps.append(step)
        if len(steps) + 1 == stop_at:  # training stops after the next step
            stop.request()
    return steps


def assert_same(first: Path, second: Path) -> None:
    """Compare all tensors of the best and the last checkpoint, bit for bit."""
    for ending in ("", "-last"):
        expected, actual = (load_file(path.with_name(f"{path.stem}{ending}.safetensors")) for path in (first, second))
        assert expected.keys() == actual.keys()
        for name, tensor in expected.items():
            assert tensor.equal(actual[name]), f"{name}{ending}"


@pytest.mark.parametrize("stop_at", [2, 4, 7, 12])
@pytest.mark.parametrize("cell", CELLS)
def test_resumed_training_is_bit_exact(small_corpus: Corpus, tmp_path: Path, cell: str, stop_at: int) -> None:
    """Also with a pending validation, which the stop skips, and after the last step."""
    model = replace(DROPPING, cell=cell)
    run(small_corpus, tmp_path / "whole.safetensors", model)
    path = tmp_path / "parts.safetensors"
    assert len(run(small_corpus, path, model, stop_at)) == stop_at
    run(small_corpus, path, model, resumed=find_training(path))
    assert_same(tmp_path / "whole.safetensors", path)


@pytest.mark.parametrize("stop_at", [4, 7])
def test_resumed_training_with_ngram_embeddings_is_bit_exact(
    small_corpus: Corpus, tmp_path: Path, stop_at: int
) -> None:
    model = replace(DROPPING, ngram_embedding=4, ngram_rows=40, ngram_dropout=0.3)
    run(small_corpus, tmp_path / "whole.safetensors", model)
    path = tmp_path / "parts.safetensors"
    run(small_corpus, path, model, stop_at)
    run(small_corpus, path, model, resumed=find_training(path))
    assert_same(tmp_path / "whole.safetensors", path)
    tensors = load_file(tmp_path / "whole-last.safetensors")
    assert tensors["ngrams.weight"].any()
    assert tensors["training.optimizer.2.0.counts"].max() > 1


def test_training_resumed_repeatedly_is_bit_exact(small_corpus: Corpus, tmp_path: Path) -> None:
    """With two networks: the finished one, and the best state of the other, are part of the state."""
    model = replace(DROPPING, networks=2)
    run(small_corpus, tmp_path / "whole.safetensors", model)
    path, resumed = tmp_path / "parts.safetensors", None
    for _ in range(9):
        run(small_corpus, path, model, stop_at=3, resumed=resumed)
        resumed = find_training(path)
    run(small_corpus, path, model, resumed=resumed)
    assert_same(tmp_path / "whole.safetensors", path)


def test_resuming_a_finished_training_changes_nothing(small_corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    run(small_corpus, path)
    before = load_file(path)
    assert run(small_corpus, path, resumed=find_training(path)) == []
    assert all(tensor.equal(before[name]) for name, tensor in load_file(path).items())


def test_damaged_last_state_falls_back_to_previous(small_corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    run(small_corpus, path)
    last = tmp_path / "it-last.safetensors"
    whole = last.read_bytes()
    last.write_bytes(whole[:-100])
    resumed = find_training(path)
    assert resumed
    assert resumed.checkpoint.path.name == "it-previous.safetensors"
    assert resumed.resume_state.progress.number == 11
    run(small_corpus, path, resumed=resumed)
    assert load_file(last).keys() > load_file(path).keys()
    (tmp_path / "it-previous.safetensors").unlink()
    last.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match=r"it-last\.safetensors: is truncated"):
        find_training(path)


def test_find_training_without_states_returns_none(small_corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    assert find_training(path) is None
    run(small_corpus, path)
    with pytest.raises(CheckpointError, match="contains no training state"):
        open_training(path)
