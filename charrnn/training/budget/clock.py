"""How long a step takes: measured before anything is chosen by it, and in the first steps of a training."""

from __future__ import annotations

import statistics
import time

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.hardware.thread_tuner import fixed_threads
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.documents import TextSpan
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.optim.schedule import AIM, MEASURED_SHARE, Plan, plan_minutes
from charrnn.training.step import make_step

UNTIMED_STEPS = 3
"""The first steps are slow: they allocate, and a GPU's third is recorded."""
CHECKS = 16
"""How often in a budget the plan is compared with the time that is left."""
LATE, EARLY = 0.03, 0.05
"""Share of the budget by which the end may be expected after or before the aim without a change of the plan."""
PROBE_CHARACTERS = 2000
"""Characters scored to find out how long a validation takes."""
SPEED_VOCAB_SIZE = 64
SPEED_STEPS = 3
"""Timed steps for each number of threads; their median counts, for another process may disturb one of them."""
SPEED_SHARE, MAX_SPEED_SECONDS = 0.005, 3.0
"""Of the budget, and in all, spent on steps with the best number of threads. By three steps alone, training for ten
minutes seemed to read one text 6.9, 8.3 or 10.7 times, and dropout was chosen by that."""


def measure_speed(model: ModelConfig, training: TrainingConfig, device: torch.device, is_alone: bool = True) -> float:
    """Characters a second of whole steps, with the number of threads that is fastest now.

    Several processes that train together (`is_alone` is False) take steps without CUDA graphs.
    """
    with torch.random.fork_rng(devices=[]):
        network = RecurrentModel(model, SPEED_VOCAB_SIZE).to(device).train()
        rows = torch.randint(0, SPEED_VOCAB_SIZE, (training.batch_size, training.seq_length + 1))
    batch = rows[:, :-1], rows[:, 1:]
    take_step = make_step(ModelOptimizer(network, training, dtype_of(training, device)), is_alone=is_alone)
    untimed = 1 if device.type == "cpu" else UNTIMED_STEPS

    def seconds(threads: int, steps: int, min_seconds: float = 0.0) -> float:
        """The median of so many steps, or of as many as so many seconds have, if those are more."""
        tuner, begun = fixed_threads(threads), time.perf_counter()
        times: list[float] = []
        while len(times) < steps or time.perf_counter() - begun < min_seconds:
            started = time.perf_counter()
            with tuner.piece():
                take_step(batch, None, 1e-3, 1.0)[0].item()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    threads = training.threads or torch.get_num_threads()
    seconds(threads, untimed)
    best = seconds(threads, SPEED_STEPS)
    if training.threads is None and device.type == "cpu":
        while True:  # fewer are faster on a busy machine, or where there are many for little work
            fewer = threads // 2
            now = seconds(fewer, SPEED_STEPS) if fewer else best
            if now >= best:
                break
            threads, best = fewer, now
    long = min(MAX_SPEED_SECONDS, SPEED_SHARE * 60 * (training.minutes or 0))
    return batch[0].numel() / seconds(threads, SPEED_STEPS, long)


class Clock:
    """Finds out in the first steps how long a step takes.

    Args:
        begun: `time.perf_counter()` when the budget began.
        budget: seconds.
        number: of the steps taken before.
    """

    def __init__(self, begun: float, budget: float, number: int = 0) -> None:
        self.begun, self.budget, self.untimed = begun, budget, number + UNTIMED_STEPS
        self.first = self.latest = time.perf_counter()
        self.validation = self.validations = 0.0
        self.per_step: float | None = None
        self.mark(number)

    def mark(self, number: int) -> None:
        """Begin to measure the speed for the next comparison, after so many steps."""
        self.marked = (time.perf_counter(), self.validations, number)

    def refit(self, number: int, plan: Plan, steps_per_epoch: float) -> int | None:
        """How many steps in all fit into the budget by the speed since the last comparison and the one known before.

        Both count alike: a disturbance that has passed when the next comparison comes should not change much.

        Returns:
            None where it is not yet time to compare, or the plan fits.
        """
        now, (marked, validations, before) = time.perf_counter(), self.marked
        if not self.budget or now - marked < self.budget / CHECKS or number == before:
            return None
        recent = max(1e-9, now - marked - (self.validations - validations)) / (number - before)
        per_step = self.per_step = recent if self.per_step is None else (recent + self.per_step) / 2
        self.mark(number)
        every = plan.validate_every
        ends = (*range((number // every + 1) * every, plan.steps, every), plan.steps)
        still = sum(plan.validates_after(step) for step in ends)
        left = self.begun + AIM * self.budget - now - still * self.validation
        over = (plan.steps - number) * per_step - left
        if -EARLY * self.budget <= over <= LATE * self.budget:
            return None
        steps = number + max(1, int(left / per_step))
        if steps > plan.steps:
            steps = max(plan.steps, min(steps, plan.most_steps(steps_per_epoch)))
        return steps if steps != plan.steps else None

    def tick(self, number: int) -> None:
        """Take down that a step was taken, by how many there were."""
        self.latest = time.perf_counter()
        if number == self.untimed:
            self.first = self.latest

    def has_measured(self, number: int, warmup_steps: int) -> bool:
        """Whether to fix the plan now: after enough time, at the latest at the end of the warm-up."""
        spent = self.latest - self.first >= MEASURED_SHARE * self.budget
        return number > self.untimed and (spent or number >= warmup_steps)

    def validated(self, seconds: float) -> None:
        """Take down what a validation took."""
        self.validation = seconds
        self.validations += seconds

    def is_late(self, number: int, plan: Plan) -> bool:
        """Whether there is a budget, and too little left of it for a validation that is not the last."""
        now = time.perf_counter()
        per_step = (now - self.first - self.validations) / max(1, number - self.untimed)
        end = now + (plan.steps - number) * per_step + 2 * self.validation
        return self.budget > 0 and end > self.begun + self.budget

    def plan(self, number: int, model: RecurrentModel, validation: TextSpan, config: TrainingConfig) -> Plan:
        """How many steps, and which validations, fit into what is left of the budget."""
        per_step = self.per_step = (self.latest - self.first) / (number - self.untimed)
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
        self.mark(number)
        return plan
