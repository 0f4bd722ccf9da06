"""The training monitor: turns steps into reports of plain numbers, to be shown or recorded."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from charrnn.checkpoint.metadata import EvalResult
from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import Score
from charrnn.training.loop import Training
from charrnn.training.optim.schedule import Plan
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult

SAMPLING = SamplingConfig(temperature=0.8, length=200)
"""Sampling settings of the samples during training; the seed is the step number."""
LINES = 10
"""Number of evenly spaced lines per training, in addition to the validations."""
UPDATE_SECONDS = 0.2
"""Minimum seconds between updates; reading the loss waits for the GPU."""
RECORD_SECONDS, MAX_RECORDS = 1.0, 1000
"""Minimum seconds between records, and maximum number of records per training, not counting lines."""
SMOOTHING = 0.9
"""Weight of the previous value in the exponentially smoothed speed."""


class Level(IntEnum):
    """Importance of a report; a sink also gets the reports of all higher levels."""

    UPDATE = 0
    """A report for a live display, a few times a second."""
    RECORD = 1
    """A report for the history: at most one per second, and about a thousand in total."""
    LINE = 2
    """A report for a printed line: after a validation, after the last step, and after each tenth of the training."""


@dataclass(frozen=True)
class Report:
    """The figures of a training after a step. `metrics.METRICS` lists those that are printed or recorded.

    Attributes:
        level: importance.
        step: number of the step, counted from 1 in each network.
        plan: the length of the training; None while `--minutes` is still measuring.
        network: number of the network, counted from 1.
        networks: number of networks, which are trained one after another.
        steps: number of steps since the previous report of the same level.
        loss: mean training loss over these steps, in nats per character.
        learning_rate: learning rate of the last step.
        chars_per_second: smoothed training speed.
        elapsed: training time so far in seconds, without pauses.
        remaining: estimated seconds until the end; None while unknown.
        score: score of the validation part, if there was a validation after this step.
        validation: that score as stored in checkpoints.
        is_best: whether the state after this step is the best so far.
        is_last: whether this is the last step of the network.
        sample: text sampled from the network after this step, if one was due.
        sample_seconds: seconds that the latest sample took.
    """

    level: Level
    step: int
    plan: Plan | None
    network: int
    networks: int
    steps: int
    loss: float
    learning_rate: float
    chars_per_second: float
    elapsed: float
    remaining: float | None = None
    score: Score | None = None
    validation: EvalResult | None = None
    is_best: bool = False
    is_last: bool = False
    sample: str | None = None
    sample_seconds: float = 0.0


Sink = tuple[Level, Callable[[Report], None]]
"""A function that takes reports, and the lowest level that it takes."""


class Monitor:
    """Observer of a training that sends reports to sinks.

    Args:
        checkpoints: the checkpoint manager, which has the current network.
        sinks: functions that take reports, called in this order.
        wants_sample: returns whether the next update needs a sample.
    """

    def __init__(
        self, checkpoints: CheckpointManager, sinks: Iterable[Sink], wants_sample: Callable[[], bool] = lambda: False
    ) -> None:
        self.checkpoints, self.sinks, self.wants_sample = checkpoints, list(sinks), wants_sample
        self.training: Training | None = None
        self.plan: Plan | None = None
        self.characters, self.speed, self.sample_seconds = 0, 0.0, 0.0
        self.recorded_at, self.recorded_step = 0.0, 0
        self.updated_at = time.perf_counter()

    def update(self, step: StepResult, is_best: bool) -> None:
        """Add a step, and send a report if one is due.

        Args:
            step: the next step.
            is_best: whether the state after it is the best so far.
        """
        if self.checkpoints.training is not self.training:
            self._begin(step)
        self.losses.append(step.loss)
        self.characters += step.characters
        is_line, wants_sample = bool(step.score) or step.last or self._is_tenth(step), self.wants_sample()
        is_due = is_line or wants_sample or time.perf_counter() - self.updated_at > UPDATE_SECONDS
        if is_due or step.plan is not self.plan:
            self.plan = step.plan
            self._report(step, is_best, is_line, is_due, wants_sample)

    def _begin(self, step: StepResult) -> None:
        """Start with another network, or with an earlier state of the same network."""
        self.training, self.losses = self.checkpoints.training, list[Tensor]()
        self.sums = dict.fromkeys(Level, (0.0, 0))  # sum and number of the losses since a level's last report
        self.first: tuple[int, float] | None = None  # the first reported step, and the elapsed seconds after it
        self.recorded_step = step.number - 1

    def _report(self, step: StepResult, is_best: bool, is_line: bool, is_due: bool, wants_sample: bool) -> None:
        checkpoints, now = self.checkpoints, time.perf_counter()
        elapsed = now - checkpoints.started
        loss = torch.stack(self.losses).mean().item()
        steps = len(self.losses)
        self.sums = {lowest: (total + loss * steps, of + steps) for lowest, (total, of) in self.sums.items()}
        level = Level.UPDATE
        if is_line or (is_due and self._is_record_due(step, elapsed)):
            level = Level.LINE if is_line else Level.RECORD
            self.recorded_at, self.recorded_step = elapsed, step.number
        report = Report(
            level=level,
            step=step.number,
            plan=step.plan,
            network=len(checkpoints.finished) + 1,
            networks=checkpoints.run.model.networks,
            steps=steps,
            loss=loss,
            learning_rate=step.learning_rate,
            chars_per_second=self._speed_at(step, now),
            elapsed=elapsed,
            remaining=self._remaining(step, elapsed),
            score=step.score,
            validation=checkpoints.eval_result_of(step.score) if step.score else None,
            is_best=is_best,
            is_last=step.last,
            sample=self._sample(step) if is_line or wants_sample else None,
            sample_seconds=self.sample_seconds,
        )
        for lowest, take in self.sinks:
            if level >= lowest:
                total, steps = self.sums[lowest]
                take(dataclasses.replace(report, loss=total / steps, steps=steps))
        self.sums |= {reached: (0.0, 0) for reached in Level if reached <= level}
        self.losses.clear()
        self.characters, self.updated_at = 0, time.perf_counter()

    def _is_tenth(self, step: StepResult) -> bool:
        if step.plan is None:
            return False
        every = max(1, step.plan.steps * self.checkpoints.run.model.networks // LINES)
        # The last step always gets a line; one shortly before would repeat it.
        return step.number % every == 0 and step.plan.steps - step.number >= every / 2

    def _is_record_due(self, step: StepResult, elapsed: float) -> bool:
        min_steps = (step.plan.steps if step.plan else 0) * self.checkpoints.run.model.networks / MAX_RECORDS
        return elapsed - self.recorded_at >= RECORD_SECONDS and step.number - self.recorded_step >= min_steps

    def _speed_at(self, step: StepResult, now: float) -> float:
        speed = self.characters / max(1e-9, now - self.updated_at)
        if not self.speed:
            self.speed = speed
        elif not step.score:  # with a score, the time includes a validation
            self.speed += (1 - SMOOTHING) * (speed - self.speed)
        return self.speed

    def _remaining(self, step: StepResult, elapsed: float) -> float | None:
        self.first = self.first or (step.number, elapsed)
        number, seconds = self.first
        if not step.plan or step.number <= number:
            return None
        networks_after = self.checkpoints.run.model.networks - len(self.checkpoints.finished) - 1
        return (step.plan.steps * (1 + networks_after) - step.number) * (elapsed - seconds) / (step.number - number)

    def _sample(self, step: StepResult) -> str | None:
        """Return a sample; None if the training has diverged, which the loop finds and handles within some steps."""
        begun, corpus = time.perf_counter(), self.checkpoints.run.corpus
        config = dataclasses.replace(SAMPLING, seed=step.number)
        model = self.checkpoints.training.model
        try:
            text = "".join(generate(model, corpus.vocabulary, config, documents=corpus.documents))
        except ModelError:
            return None
        self.sample_seconds = time.perf_counter() - begun
        return text
