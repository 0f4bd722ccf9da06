"""Training as a generator of steps: the caller owns the loop, and with it display, saving and stopping.

Truncated BPTT (Williams and Peng 1990): gradients flow through `seq_length` characters, the state is carried on,
detached, to the next. The loop knows LanguageModel's shape of things, not text and not the command line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import TrainingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import State
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import Progress, Score, evaluate
from charrnn.text.streams import Streams
from charrnn.training.memory import kept_memory
from charrnn.training.precision import dtype_of
from charrnn.training.schedule import (
    AIM,
    DEFAULT_STEPS,
    DEFAULT_VALIDATE_EVERY,
    MEASURED_SHARE,
    Plan,
    learning_rate,
    plan_minutes,
)
from charrnn.training.steps import steps_of
from charrnn.training.updates import Updates

UNTIMED_STEPS = 3
"""The first steps are slow: they allocate, and a GPU's third is recorded."""
PROBE_CHARACTERS = 2000
"""Characters scored to find out how long a validation takes."""


@dataclass(frozen=True)
class Step:
    """One step of training, after it was taken.

    Attributes:
        number: counted from 1.
        characters: read for it.
        loss: mean nats per character of its batch, before the step; a tensor, so that nobody waits for it unasked.
        learning_rate: that it was taken with.
        plan: how long the training is; None as long as `--minutes` is still measuring.
        score: of the validation part, if it was scored after this step.
        last: whether it is the last.
    """

    number: int
    characters: int
    loss: Tensor
    learning_rate: float
    plan: Plan | None
    score: Score | None = None
    last: bool = False


class Stop:
    """A switch that ends a training after the step that is being taken, with a validation."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """End the training soon."""
        self.asked = True


def train(
    model: RecurrentModel,
    streams: Streams,
    validation: NDArray[Any],
    config: TrainingConfig,
    started: float | None = None,
    stop: Stop | None = None,
    val_progress: Progress | None = None,
    plan: Plan | None = None,
) -> Iterator[Step]:
    """Fit a network; it is in evaluation mode whenever a step is yielded.

    Dropout draws from PyTorch's global generator of the model's device, which the caller seeds.

    Args:
        model: on the device to train on; changed in place.
        streams: the training part.
        validation: (N,) the validation part; without characters there are no scores.
        config: see there.
        started: `time.perf_counter()` when the budget of minutes began; now, if not given.
        stop: ends the training early.
        val_progress: told the characters scored in a validation.
        plan: how long the training is, instead of what the configuration says.

    Raises:
        ModelError: the loss is no longer a number.
    """
    torch.set_flush_denormal(True)  # vanishing gradients are denormal, and those are slow (oneDNN issue 561)
    try:
        with kept_memory():
            yield from _steps(model, streams, validation, config, started, stop or Stop(), val_progress, plan)
    finally:
        torch.set_flush_denormal(False)  # others count on small numbers: numpy warns when it finds none


def _steps(
    model: RecurrentModel,
    streams: Streams,
    validation: NDArray[Any],
    config: TrainingConfig,
    started: float | None,
    stop: Stop,
    val_progress: Progress | None,
    plan: Plan | None,
) -> Iterator[Step]:
    dtype = dtype_of(config, model.device)
    take_step = steps_of(model, Updates(model, config, dtype), dtype)
    if plan is None and not config.minutes:
        plan = _fixed_plan(config, streams, len(validation))
    clock = _Clock(time.perf_counter() if started is None else started, 60 * (config.minutes or 0))
    state: State | None = None
    number, last = 0, False
    while not last:
        if plan is None and clock.has_measured(number, config.warmup_steps):
            plan = clock.plan(number, model, validation, config)
        steps = plan.steps if plan else 0  # no matter: the rate of the warm-up does not depend on it
        rate = learning_rate(number, steps, config.learning_rate, config.warmup_steps)
        model.train()
        loss, state = take_step(streams.batch(number), state, rate)
        model.eval()
        number += 1
        if plan is None:
            loss.item()  # wait for the device, so that the clock is right
            clock.tick(number)
        last = stop.asked or number == steps
        due = plan is not None and plan.validates_after(number) and not clock.is_late(number, plan)
        validates = len(validation) > 0 and (last or due)
        if (validates or last) and not torch.isfinite(loss):
            raise ModelError(f"after step {number}: the loss is no number; say a lower --learning-rate")
        score = None
        if validates:
            part = validation[: plan.val_characters if plan else None]
            before = time.perf_counter()
            score = evaluate(model, part, progress=val_progress)
            clock.validated(time.perf_counter() - before)
        size = streams.batch_size * streams.seq_length
        yield Step(number, size, loss, rate, plan, score, last)


def _fixed_plan(config: TrainingConfig, streams: Streams, val_characters: int) -> Plan:
    steps = config.steps or DEFAULT_STEPS
    if config.epochs:
        steps = math.ceil(config.epochs * streams.steps_per_epoch)
    return Plan(steps, config.validate_every or DEFAULT_VALIDATE_EVERY, val_characters)


class _Clock:
    """Finds out in the first steps how long a step takes.

    Args:
        begun: `time.perf_counter()` when the budget began.
        budget: seconds.
    """

    def __init__(self, begun: float, budget: float) -> None:
        self.begun, self.budget = begun, budget
        self.first = self.latest = time.perf_counter()
        self.validation = self.validations = 0.0

    def tick(self, number: int) -> None:
        self.latest = time.perf_counter()
        if number == UNTIMED_STEPS:
            self.first = self.latest

    def has_measured(self, number: int, warmup_steps: int) -> bool:
        """Whether to fix the plan now: after enough time, at the latest at the end of the warm-up."""
        spent = self.latest - self.first >= MEASURED_SHARE * self.budget
        return number > UNTIMED_STEPS and (spent or number >= warmup_steps)

    def validated(self, seconds: float) -> None:
        """Take down what a validation took."""
        self.validation = seconds
        self.validations += seconds

    def is_late(self, number: int, plan: Plan) -> bool:
        """Whether there is a budget, and too little left of it for a validation that is not the last."""
        now = time.perf_counter()
        per_step = (now - self.first - self.validations) / max(1, number - UNTIMED_STEPS)
        end = now + (plan.steps - number) * per_step + 2 * self.validation
        return self.budget > 0 and end > self.begun + self.budget

    def plan(self, number: int, model: RecurrentModel, validation: NDArray[Any], config: TrainingConfig) -> Plan:
        per_step = (self.latest - self.first) / (number - UNTIMED_STEPS)
        probe = validation[:PROBE_CHARACTERS]
        per_character = 0.0
        if len(probe):
            evaluate(model, probe[:100])  # the first call is slow
            before = time.perf_counter()
            evaluate(model, probe)
            per_character = (time.perf_counter() - before) / len(probe)
        plan = plan_minutes(
            self.begun + AIM * self.budget - time.perf_counter(),
            number,
            per_step,
            per_character,
            len(validation),
            config.validate_every,
        )
        self.validation = plan.val_characters * per_character
        return plan
