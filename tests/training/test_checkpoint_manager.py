"""The best and the last checkpoint of a training."""

from pathlib import Path

import torch

from charrnn.checkpoint import load
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import Score
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Training
from charrnn.training.optim.schedule import Plan
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult


def step(number: int, nats: float | None, characters: int) -> StepResult:
    score = None if nats is None else Score(nats * characters, characters)
    return StepResult(number, 64, torch.tensor(1.0), 1e-3, Plan(9, 3, characters), score)


def test_checkpoint_manager_keeps_best_when_last_is_worse(small_corpus: Corpus, tmp_path: Path) -> None:
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    config = TrainingConfig(steps=9)
    path = tmp_path / "sub" / "text-lstm.safetensors"
    checkpoints = CheckpointManager(
        path, Run(small_corpus, model.config, config, RunContext(command=("charrnn", "train")))
    )
    checkpoints.begin(Training(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, config))
    val_characters = len(small_corpus.validation)
    are_best = []
    for number, nats in ((3, 2.0), (6, 1.5), (9, 1.7)):
        with torch.no_grad():
            model.head.bias.fill_(number)
        are_best.append(checkpoints.save(step(number, nats, val_characters)))
    assert are_best == [True, True, False]
    assert checkpoints.best_step == 6
    best, last = load(checkpoints.path), load(checkpoints.last_path)
    assert checkpoints.last_path.name == "text-lstm-last.safetensors"
    assert (best.metadata.step, last.metadata.step) == (6, 9)
    assert (best.model.head.bias == 6).all()  # type: ignore[union-attr]
    assert (last.model.head.bias == 9).all()  # type: ignore[union-attr]
    assert best.metadata.validation is not None
    assert best.metadata.validation.nats_per_char == 1.5
    assert best.metadata.validation.rule == "static, full"
    assert best.metadata.training == config
    assert best.metadata.command == ("charrnn", "train")
    assert best.metadata.text.sha256 == small_corpus.sha256
    assert not list((tmp_path / "sub").glob(".*"))


def test_checkpoint_manager_without_scores_keeps_last(small_corpus: Corpus, tmp_path: Path) -> None:
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    checkpoints = CheckpointManager(tmp_path / "a.safetensors", Run(small_corpus, model.config, TrainingConfig()))
    checkpoints.begin(Training(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, TrainingConfig()))
    assert checkpoints.save(step(1, None, 0))
    assert checkpoints.save(step(2, None, 0))
    assert load(checkpoints.path).metadata.step == 2
