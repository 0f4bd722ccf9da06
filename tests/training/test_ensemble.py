"""Several networks, trained one after another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charrnn.checkpoint import load
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training import ensemble
from charrnn.training.ensemble import train_ensemble
from charrnn.training.loop import train
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult, StopFlag

CPU = torch.device("cpu")
QUICK = TrainingConfig(steps=40, seq_length=16, batch_size=8, warmup_steps=10, validate_every=20, seed=5)
THREE = ModelConfig(hidden_size=16, dropout=0.1, networks=3)


def run(
    corpus: Corpus,
    folder: Path,
    config: TrainingConfig = QUICK,
    model: ModelConfig = THREE,
    stop: StopFlag | None = None,
) -> tuple[CheckpointManager, list[StepResult]]:
    checkpoints = CheckpointManager(folder / "a.safetensors", Run(corpus, model, config))
    steps = []
    for step, _ in train_ensemble(checkpoints, stop=stop):
        steps.append(step)
        if stop and len(checkpoints.finished) == 1 and step.number == 3:
            stop.request()
    return checkpoints, steps


def test_ensemble_scores_better_than_each_network(small_corpus: Corpus, tmp_path: Path) -> None:
    checkpoints, steps = run(small_corpus, tmp_path)
    assert [step.number for step in steps] == [*range(1, 41)] * 3
    each = [evaluate(network, small_corpus.validation).nats for network in checkpoints.finished]
    assert len(each) == len(set(each)) == 3
    saved = load(checkpoints.path)
    assert isinstance(saved.model, InterpolatedModel)
    assert (saved.kind, saved.description) == ("recurrent", "lstm 2x16 (3 networks)")
    assert saved.metadata.step == 120
    score = evaluate(saved.model, small_corpus.validation)
    assert score.nats < sum(each) / 3  # by Jensen's inequality, for any networks
    assert checkpoints.score == score
    assert saved.metadata.validation
    assert saved.metadata.validation.nats_per_char == score.nats_per_char


def test_ensemble_network_equals_single_training_with_its_seed(small_corpus: Corpus, tmp_path: Path) -> None:
    checkpoints, _ = run(small_corpus, tmp_path)
    torch.manual_seed(QUICK.seed + 2)
    alone = RecurrentModel(replace(THREE, networks=1), len(small_corpus.vocabulary))
    list(train(alone, Streams(small_corpus.train.ids, 8, 16), small_corpus.validation, QUICK))
    assert alone.head.weight.equal(checkpoints.finished[2].head.weight)


def test_stopped_ensemble_keeps_finished_networks(small_corpus: Corpus, tmp_path: Path) -> None:
    checkpoints, steps = run(small_corpus, tmp_path, stop=StopFlag())
    assert [step.number for step in steps] == [*range(1, 41), 1, 2, 3, 4]
    assert isinstance(load(checkpoints.path).model, RecurrentModel)
    assert load(checkpoints.last_path).metadata.step == 4
    assert checkpoints.score == evaluate(checkpoints.network, small_corpus.validation)


def test_ensemble_without_validation_part_keeps_last_states(small_corpus: Corpus, tmp_path: Path) -> None:
    corpus = replace(small_corpus, config=replace(small_corpus.config, val_fraction=0.0))
    checkpoints, _ = run(corpus, tmp_path)
    assert checkpoints.score is None
    assert load(checkpoints.path).metadata.validation is None
    assert load(checkpoints.path).description == "lstm 2x16 (3 networks)"


@pytest.mark.parametrize(("share", "ready"), [(1e9, 1), (-1e9, 3)])
def test_ensemble_shares_the_minutes(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, ready: int
) -> None:
    """All networks take as many steps as the first had time for; another one starts if enough time is left."""
    monkeypatch.setattr(ensemble, "MIN_SHARE", share)
    monkeypatch.setattr("charrnn.training.loop.Clock.refit", lambda *_: None)
    config = replace(QUICK, steps=None, minutes=0.02, validate_every=None)
    checkpoints, steps = run(small_corpus, tmp_path, config)
    assert len(checkpoints.finished) == ready
    plans = {step.plan for step in steps if step.plan}
    assert len(plans) == 1
    assert [step.number for step in steps if step.last] == [plans.pop().steps] * ready
