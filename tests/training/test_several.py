"""Several networks, one after the other."""

import time
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
from charrnn.training import ensemble as several
from charrnn.training.ensemble import train_all
from charrnn.training.events import Step, Stop
from charrnn.training.loop import train
from charrnn.training.state.checkpoints import Keeper

CPU = torch.device("cpu")
QUICK = TrainingConfig(steps=40, seq_length=16, batch_size=8, warmup_steps=10, validate_every=20, seed=5)
THREE = ModelConfig(hidden_size=16, dropout=0.1, networks=3)


def run(
    corpus: Corpus, folder: Path, config: TrainingConfig = QUICK, model: ModelConfig = THREE, stop: Stop | None = None
) -> tuple[Keeper, list[Step]]:
    keeper = Keeper(folder / "a.safetensors", corpus, config, model, time.perf_counter())
    streams = Streams(corpus.train, config.batch_size, config.seq_length)
    steps = []
    for step, _ in train_all(keeper, streams, CPU, stop=stop):
        steps.append(step)
        if stop and len(keeper.finished) == 1 and step.number == 3:
            stop.ask()
    return keeper, steps


def test_together_they_are_better_than_each(small_corpus: Corpus, tmp_path: Path) -> None:
    keeper, steps = run(small_corpus, tmp_path)
    assert [step.number for step in steps] == [*range(1, 41)] * 3
    each = [evaluate(network, small_corpus.validation).nats for network in keeper.finished]
    assert len(each) == len(set(each)) == 3
    kept = load(keeper.path)
    assert isinstance(kept.model, InterpolatedModel)
    assert (kept.kind, kept.description) == ("recurrent", "lstm 2x16 (3 networks)")
    assert kept.facts.step == 120
    score = evaluate(kept.model, small_corpus.validation)
    assert score.nats < sum(each) / 3  # by Jensen's inequality, whatever they are
    assert keeper.score == score
    assert kept.facts.validation
    assert kept.facts.validation.nats_per_char == score.nats_per_char


def test_each_is_what_its_seed_gives_alone(small_corpus: Corpus, tmp_path: Path) -> None:
    keeper, _ = run(small_corpus, tmp_path)
    torch.manual_seed(QUICK.seed + 2)
    alone = RecurrentModel(replace(THREE, networks=1), len(small_corpus.vocabulary))
    list(train(alone, Streams(small_corpus.train, 8, 16), small_corpus.validation, QUICK))
    assert alone.head.weight.equal(keeper.finished[2].head.weight)


def test_stopped_it_keeps_those_that_are_ready(small_corpus: Corpus, tmp_path: Path) -> None:
    keeper, steps = run(small_corpus, tmp_path, stop=Stop())
    assert [step.number for step in steps] == [*range(1, 41), 1, 2, 3, 4]
    assert isinstance(load(keeper.path).model, RecurrentModel)
    assert load(keeper.last_path).facts.step == 4
    assert keeper.score == evaluate(keeper.network, small_corpus.validation)


def test_without_a_validation_part(small_corpus: Corpus, tmp_path: Path) -> None:
    corpus = replace(small_corpus, config=replace(small_corpus.config, val_fraction=0.0))
    keeper, _ = run(corpus, tmp_path)
    assert keeper.score is None
    assert load(keeper.path).facts.validation is None
    assert load(keeper.path).description == "lstm 2x16 (3 networks)"


@pytest.mark.parametrize(("share", "ready"), [(1e9, 1), (-1e9, 3)])
def test_they_share_the_minutes(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, ready: int
) -> None:
    """All take as many steps as the first had time for; another one begins if there is time enough."""
    monkeypatch.setattr(several, "LEAST_SHARE", share)
    monkeypatch.setattr("charrnn.training.loop.Clock.refit", lambda *_: None)
    config = replace(QUICK, steps=None, minutes=0.02, validate_every=None)
    keeper, steps = run(small_corpus, tmp_path, config)
    assert len(keeper.finished) == ready
    plans = {step.plan for step in steps if step.plan}
    assert len(plans) == 1
    assert [step.number for step in steps if step.last] == [plans.pop().steps] * ready
