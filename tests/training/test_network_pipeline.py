"""Networks trained through the pipeline in Python: reports, initial weights, resuming, mixing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charrnn.checkpoint import load
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.mixture import MixtureModel
from charrnn.pipeline.fit_networks import NetworkTraining, TrainingStart, initialize_from, resume
from charrnn.text.corpus import Corpus
from charrnn.training.monitor.monitor import Level, Report
from charrnn.training.state.init_from import initial_network
from charrnn.training.state.resume import find_training
from charrnn.training.step import StopFlag

TRAINING = TrainingConfig(steps=6, seq_length=16, batch_size=4, warmup_steps=2, validate_every=3)
MODEL = ModelConfig(hidden_size=8)


@pytest.fixture
def start(small_corpus: Corpus) -> TrainingStart:
    return TrainingStart(small_corpus.config, MODEL, TRAINING)


def test_sinks_get_reports_of_their_level(small_corpus: Corpus, start: TrainingStart, tmp_path: Path) -> None:
    longer = replace(start, training=replace(TRAINING, steps=40, validate_every=20))
    training = NetworkTraining(tmp_path / "a.safetensors", small_corpus, longer)
    lines: list[Report] = []
    losses = [step.loss.item() for step in training.steps(sinks=[(Level.LINE, lines.append)])]
    assert [report.step for report in lines] == list(range(4, 41, 4))
    assert {report.steps for report in lines} == {4}
    assert lines[-1].loss == pytest.approx(sum(losses[36:]) / 4)
    assert [report.step for report in lines if report.score] == [20, 40]
    assert lines[-1].is_last


def test_resumed_start_ends_with_the_same_weights(small_corpus: Corpus, start: TrainingStart, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    list(NetworkTraining(whole, small_corpus, start).steps())
    stop = StopFlag()
    for step in NetworkTraining(parts, small_corpus, start).steps(stop=stop):
        if step.number == 3:
            stop.request()
    resumed = find_training(parts)
    assert resumed
    list(NetworkTraining(parts, small_corpus, resume(start, resumed)).steps())
    weights = zip(load(whole).model.parameters(), load(parts).model.parameters(), strict=True)  # type: ignore[union-attr]
    assert all(torch.equal(expected, actual) for expected, actual in weights)


def test_initialized_start_has_the_shape_and_weights_of_the_other(
    small_corpus: Corpus, start: TrainingStart, tmp_path: Path
) -> None:
    first = tmp_path / "first.safetensors"
    list(NetworkTraining(first, small_corpus, start).steps())
    checkpoint = load(first)
    weights = initial_network(checkpoint).state_dict()
    slow = replace(start, model=ModelConfig(), training=replace(TRAINING, learning_rate=1e-9))
    second = NetworkTraining(tmp_path / "second.safetensors", small_corpus, initialize_from(slow, checkpoint))
    list(second.steps())
    assert second.run.model.hidden_size == 8
    for name, tensor in second.checkpoints.finished[0].state_dict().items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-4, atol=1e-4)


def test_mixture_is_saved_with_its_score(
    small_corpus: Corpus, start: TrainingStart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
    path = tmp_path / "mixed.safetensors"
    training = NetworkTraining(path, small_corpus, replace(start, with_ngram=True))
    list(training.steps())
    ngram_score, score = training.finish_mixture()
    assert ngram_score
    assert score
    checkpoint = load(path)
    assert isinstance(checkpoint.model, MixtureModel)
    assert checkpoint.metadata.validation
    assert checkpoint.metadata.validation.nats_per_char == score.nats_per_char
