"""The training loop on a small text."""

import time
from dataclasses import replace

import pytest
import torch

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.errors import DivergedError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.budget.clock import UNTIMED_STEPS, Clock
from charrnn.training.loop import Training, train
from charrnn.training.optim.schedule import Plan
from charrnn.training.step import StepResult, StopFlag

QUICK = TrainingConfig(steps=60, seq_length=16, batch_size=8, learning_rate=1e-2, warmup_steps=10, validate_every=30)


def run(
    corpus: Corpus, config: TrainingConfig, model_config: ModelConfig, stop: StopFlag | None = None
) -> tuple[RecurrentModel, list[StepResult]]:
    torch.manual_seed(config.seed)
    model = RecurrentModel(model_config, len(corpus.vocabulary))
    streams = Streams(corpus.train.ids, config.batch_size, config.seq_length)
    return model, list(train(model, streams, corpus.validation, config, stop=stop))


@pytest.mark.parametrize("cell", CELLS)
def test_training_of_every_cell_lowers_the_loss(small_corpus: Corpus, cell: str) -> None:
    model, steps = run(small_corpus, QUICK, ModelConfig(cell=cell, hidden_size=32))
    assert [step.number for step in steps] == list(range(1, 61))
    assert [step.number for step in steps if step.score] == [30, 60]
    assert steps[-1].last
    assert not steps[-2].last
    assert steps[-1].loss < 0.8 * steps[0].loss
    score = evaluate(model, small_corpus.validation)
    assert steps[-1].score == score
    assert score.bits_per_char < 3.6  # log2 V is 4.6


@pytest.mark.parametrize("cell", CELLS)
def test_training_with_same_seed_is_bit_exact(small_corpus: Corpus, cell: str) -> None:
    """On a CPU, with dropout, and for any number of validations."""
    settings = ModelConfig(cell=cell, hidden_size=32, dropout=0.3)
    config = replace(QUICK, steps=15)
    first, _ = run(small_corpus, config, settings)
    second, _ = run(small_corpus, replace(config, validate_every=2), settings)
    other, _ = run(small_corpus, replace(config, seed=1), settings)
    for name, parameter in first.state_dict().items():
        assert torch.equal(parameter, second.state_dict()[name]), name
    assert not torch.equal(first.head.weight, other.head.weight)


def test_training_carries_state_between_batches(small_corpus: Corpus) -> None:
    """With a learning rate of almost 0, the losses are those of one model that reads batch after batch."""
    config = replace(QUICK, steps=5, learning_rate=1e-30, weight_decay=0.0, batch_size=2, precision="float32")
    model, steps = run(small_corpus, config, ModelConfig(hidden_size=16))
    streams, state = Streams(small_corpus.train.ids, 2, 16), None
    for step in steps:
        inputs, targets = streams.batch(step.number - 1)
        with torch.no_grad():
            logits, state = model(inputs, state)
        expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        torch.testing.assert_close(step.loss, expected)


def test_training_yields_model_in_evaluation_mode(small_corpus: Corpus) -> None:
    config = replace(QUICK, steps=3)
    model = RecurrentModel(ModelConfig(hidden_size=8, dropout=0.5), len(small_corpus.vocabulary))
    for _ in train(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, config):
        assert not model.training


def test_training_epochs_become_steps(small_corpus: Corpus) -> None:
    _, steps = run(small_corpus, replace(QUICK, steps=None, epochs=0.5), ModelConfig(hidden_size=8))
    assert steps[-1].number == pytest.approx(len(small_corpus.train) / (8 * 16) / 2, abs=1)


def test_training_for_minutes_ends_in_time_and_is_repeatable(small_corpus: Corpus) -> None:
    """Explicit options with the plan of a time budget, and its changes, give the same weights."""
    settings = ModelConfig(hidden_size=16)
    before = time.perf_counter()
    timed, steps = run(small_corpus, replace(QUICK, steps=None, minutes=0.015, validate_every=None), settings)
    assert time.perf_counter() - before < 60  # generous: only checks that training ends
    plan = steps[-1].plan
    assert plan is not None
    assert plan.steps == steps[-1].number
    assert steps[0].plan is None
    replanned = ",".join(f"{until}:{total}" for until, total in plan.earlier) or None
    repeated, _ = run(small_corpus, replace(QUICK, steps=plan.steps, replanned=replanned), settings)
    for name, parameter in timed.state_dict().items():
        assert torch.equal(parameter, repeated.state_dict()[name]), name


def test_late_training_skips_validations_but_the_last(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that slowed down after its speed was measured, `--minutes 3` once took 3.5 minutes."""
    config = replace(QUICK, steps=None, minutes=0.02, validate_every=5)
    monkeypatch.setattr("charrnn.training.loop.Clock.is_late", lambda *_: True)
    _, steps = run(small_corpus, config, ModelConfig(hidden_size=8))
    assert [step.number for step in steps if step.score] == [steps[-1].number]


@pytest.mark.parametrize(("passed", "late"), [(50.0, False), (70.0, True)])
def test_clock_is_late_when_end_exceeds_budget(passed: float, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halfway through 103 steps, with a budget of 100 seconds and validations of 1 second each."""
    now = 1000.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = Clock(begun=now, budget=100.0)
    clock.tick(UNTIMED_STEPS)
    clock.validated(1.0)
    now += passed - 3.0
    assert clock.is_late(53, Plan(steps=103, validate_every=50, val_characters=1)) == late
    assert not Clock(begun=now, budget=0).is_late(53, Plan(103, 50, 1))


def test_stop_finishes_the_current_step(small_corpus: Corpus) -> None:
    stop = StopFlag()
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    steps = []
    for step in train(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, QUICK, stop=stop):
        steps.append(step)
        if step.number == 4:
            stop.request()
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert not steps[-1].last
    assert steps[-1].score is None


def test_stop_interrupts_a_validation(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation may take longer than a batch scheduler waits; the resumed training catches up on it."""
    monkeypatch.setattr("charrnn.scoring.evaluate.CHUNK_CHARS", 100)
    model, stop = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary)), StopFlag()
    streams = Streams(small_corpus.train.ids, 4, 8)
    training = Training(model, streams, small_corpus.validation, replace(QUICK, validate_every=4))
    steps = list(training.steps(stop, lambda done, total: stop.request()))
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert steps[-1].saves
    assert training.stopped
    assert training.validation_pending
    first = next(training.steps())
    assert first.number == 4
    assert first.score == evaluate(model, small_corpus.validation)


def test_training_without_validation_part_has_no_score(small_corpus: Corpus) -> None:
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    steps = list(train(model, Streams(small_corpus.ids, 4, 8), small_corpus.span[:0], replace(QUICK, steps=3)))
    assert [step.score for step in steps] == [None] * 3


def test_diverged_loss_raises_diverged_error(small_corpus: Corpus) -> None:
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"step 3: the loss diverged \(nan nats per character\); try a lower"):
        list(train(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, replace(QUICK, steps=3)))
