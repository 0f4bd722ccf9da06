"""A time budget on a machine whose speed changes; a fake clock advances with each step."""

import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.errors import UsageError
from charrnn.models.language_model import State
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training import loop
from charrnn.training.budget.clock import CHECKS, Clock
from charrnn.training.optim.schedule import AIM, Plan, learning_rate
from charrnn.training.step import Batch, StepResult

BUDGET = 60.0
CONFIG = TrainingConfig(minutes=BUDGET / 60, warmup_steps=100, validate_every=10**6)


def steady(now: float) -> float:
    return 0.08


def busy_at_first(now: float) -> float:
    """Another process uses a core during the first quarter of the time."""
    return 0.14 if now < BUDGET / 4 else 0.08


def stalled_at_first(now: float) -> float:
    """Threads wait for one that is not running, as they once did at the start."""
    return 0.8 if now < BUDGET / 4 else 0.08


def busy_later(now: float) -> float:
    return 0.08 if now < BUDGET / 2 else 0.16


def busy_in_between(now: float) -> float:
    return 0.16 if BUDGET / 3 < now < 2 * BUDGET / 3 else 0.08


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The fake clock's seconds."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def run(
    corpus: Corpus, passed: list[float], cost: Callable[[float], float], monkeypatch: pytest.MonkeyPatch
) -> list[StepResult]:
    """Train with steps that compute nothing and only advance the clock."""

    def take(batch: Batch, state: State | None, rate: float, weight: float) -> tuple[torch.Tensor, State]:
        passed[0] += cost(passed[0])
        return torch.tensor(1.0), state or ()

    monkeypatch.setattr(loop, "make_step", lambda *_: take)
    model = RecurrentModel(ModelConfig(hidden_size=8), len(corpus.vocabulary))
    return list(loop.train(model, Streams(corpus.train.ids, 2, 2), corpus.validation, CONFIG))


@pytest.mark.parametrize("cost", [steady, busy_at_first, stalled_at_first, busy_later, busy_in_between])
def test_changed_plan_ends_in_time_and_continues_learning_rate(
    cost: Callable[[float], float], small_corpus: Corpus, passed: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = run(small_corpus, passed, cost, monkeypatch)
    assert 0.85 * BUDGET < passed[0] < 1.05 * BUDGET
    plan = steps[-1].plan
    assert plan is not None
    assert plan.steps == steps[-1].number
    assert bool(plan.earlier) == (cost is not steady)
    assert len(plan.earlier) <= CHECKS
    rates = [step.learning_rate for step in steps]
    assert rates[-1] < 0.05 * max(rates), "the schedule must reach its end"
    falls = [before - after for before, after in itertools.pairwise(rates[100:])]
    assert all(0 <= fall < 0.1 * max(rates) for fall in falls)
    if plan.earlier:
        replanned = ",".join(f"{until}:{total}" for until, total in plan.earlier)
        repeated = replace(CONFIG, minutes=None, steps=plan.steps, replanned=replanned)
        assert rates_of(repeated, loop._fixed_plan(repeated, Streams(small_corpus.train.ids, 2, 2), 1)) == rates


def rates_of(config: TrainingConfig, plan: Plan) -> list[float]:
    highest, warmup = config.learning_rate, config.warmup_steps
    return [learning_rate(number, plan.steps, highest, warmup, plan.earlier) for number in range(plan.steps)]


def test_plan_that_fits_is_not_changed(passed: list[float]) -> None:
    clock, plan = Clock(begun=0.0, budget=BUDGET), Plan(600, 600, 1)
    passed[0] = BUDGET / CHECKS / 2
    assert clock.refit(50, plan, 1000) is None, "too early to compare"
    passed[0] = AIM * BUDGET / 2
    assert clock.refit(300, plan, 1000) is None
    passed[0] *= 1.5
    steps = clock.refit(400, plan, 1000)
    assert steps is not None
    assert steps < 600, "steps became slower"


def test_plan_growth_is_limited_by_epochs(passed: list[float]) -> None:
    clock, plan = Clock(begun=0.0, budget=BUDGET), Plan(600, 600, 1)
    passed[0] = BUDGET / CHECKS
    assert clock.refit(200, plan, steps_per_epoch=100) == 900, "nine epochs instead of six"
    clock, plan = Clock(begun=0.0, budget=BUDGET), plan.with_steps(200, 900)
    passed[0] *= 2
    assert clock.refit(600, plan, steps_per_epoch=100) is None, "the plan has already grown"


def test_plan_of_long_text_grows_to_all_the_time(passed: list[float]) -> None:
    clock, plan = Clock(begun=0.0, budget=BUDGET), Plan(600, 600, 1)
    passed[0] = BUDGET / CHECKS
    steps = clock.refit(200, plan, steps_per_epoch=10_000)
    assert steps is not None
    assert steps > 2500, "the speed allows that many steps"


def test_plan_without_budget_is_not_changed(passed: list[float]) -> None:
    clock = Clock(begun=0.0, budget=0.0)
    passed[0] = 1000.0
    assert clock.refit(1, Plan(600, 600, 1), 1000) is None


@pytest.mark.parametrize("value", ["", "5", "5:", "5:4", "9:20,5:30", "a:b", "5:10:20", "-1:5"])
def test_malformed_replanned_option_raises(value: str) -> None:
    with pytest.raises(UsageError, match=r"--replanned .*: must be pairs STEP:STEPS in ascending order"):
        TrainingConfig(steps=100, replanned=value)


def test_replanned_without_steps_raises() -> None:
    with pytest.raises(UsageError, match="--replanned 5:10: needs the number of steps; add --steps N"):
        TrainingConfig(replanned="5:10")
