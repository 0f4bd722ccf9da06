"""Measure the time of a training step: before options are chosen, and while a network is trained."""

from __future__ import annotations

import statistics
import time

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.hardware.thread_tuner import fixed_threads
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import frequent_ngrams
from charrnn.scoring.evaluate import evaluate
from charrnn.text.documents import TextSpan
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.optim.schedule import AIM, MEASURED_SHARE, Plan, plan_minutes
from charrnn.training.step import make_step

UNTIMED_STEPS = 3
"""Number of slow first steps that are not timed: memory is allocated, and on a GPU the third step is captured."""
CHECKS = 16
"""Number of times that the plan is compared with the remaining time."""
LATE, EARLY = 0.03, 0.05
"""Fractions of the budget by which the expected end may be late or early before the plan changes."""
PROBE_CHARACTERS = 2000
"""Number of characters scored to measure the speed of validation."""
SPEED_VOCAB_SIZE = 64
SPEED_STEPS = 3
"""Number of timed steps for each number of threads; the median is used, as other processes may disturb a step."""
SPEED_SHARE, MAX_SPEED_SECONDS = 0.005, 3.0
"""Fraction of the budget, and maximum in seconds, for timing steps with the best number of threads. Three steps alone
predicted 6.9, 8.3 or 10.7 epochs for the same ten minutes, and dropout depends on that number."""


def measure_speed(model: ModelConfig, training: TrainingConfig, device: torch.device, is_alone: bool = True) -> float:
    """Return the speed of whole training steps in characters per second, with the fastest number of threads.

    With `is_alone` False (one of several processes), steps do not use CUDA graphs.
    """
    with torch.random.fork_rng(devices=[]):
        network = RecurrentModel(model, SPEED_VOCAB_SIZE).to(device).train()
        rows = torch.randint(0, SPEED_VOCAB_SIZE, (training.batch_size, training.seq_length + 1))
    if network.ngrams:  # each position has n-grams of its own, as nearly so in a text
        ngrams, places = network.ngrams, len(network.ngrams.keys) - 1
        ngrams.set_ngrams(frequent_ngrams(rows.flatten().numpy(), SPEED_VOCAB_SIZE, ngrams.order, places, min_count=1))
    batch = rows[:, :-1], rows[:, 1:]
    take_step = make_step(ModelOptimizer(network, training, dtype_of(training, device)), is_alone=is_alone)
    untimed = 1 if device.type == "cpu" else UNTIMED_STEPS

    def seconds(threads: int, steps: int, min_seconds: float = 0.0) -> float:
        """Return the median time of at least `steps` steps, and as many as `min_seconds` allow."""
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
        while True:  # fewer threads are faster on a busy machine, or when the work is too small for all
            fewer = threads // 2
            now = seconds(fewer, SPEED_STEPS) if fewer else best
            if now >= best:
                break
            threads, best = fewer, now
    long = min(MAX_SPEED_SECONDS, SPEED_SHARE * 60 * (training.minutes or 0))
    return batch[0].numel() / seconds(threads, SPEED_STEPS, long)


class Clock:
    """Stopwatch of a training with a time budget: measures steps and validations, and plans by them.

    Args:
        begun: `time.perf_counter()` at the start of the budget.
        budget: seconds; 0: no budget.
        number: number of steps taken before.
    """

    def __init__(self, begun: float, budget: float, number: int = 0) -> None:
        self.begun, self.budget, self.untimed = begun, budget, number + UNTIMED_STEPS
        self.first = self.latest = time.perf_counter()
        self.validation = self.validations = 0.0
        self.per_step: float | None = None
        self.mark(number)

    def mark(self, number: int) -> None:
        """Start measuring the speed for the next comparison, after step `number`."""
        self.marked = (time.perf_counter(), self.validations, number)

    def refit(self, number: int, plan: Plan, steps_per_epoch: float) -> int | None:
        """Return a new total number of steps if the plan no longer fits the budget.

        The speed is the mean of the one since the last comparison and the one before, so that a short disturbance
        changes little.

        Returns:
            None if the plan fits, or if it is too early to compare.
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
            steps = max(plan.steps, min(steps, plan.max_steps(steps_per_epoch)))
        return steps if steps != plan.steps else None

    def tick(self, number: int) -> None:
        """Record the time after step `number`."""
        self.latest = time.perf_counter()
        if number == self.untimed:
            self.first = self.latest

    def has_measured(self, number: int, warmup_steps: int) -> bool:
        """Return whether to make the plan now: after enough time, and no later than the end of the warm-up."""
        spent = self.latest - self.first >= MEASURED_SHARE * self.budget
        return number > self.untimed and (spent or number >= warmup_steps)

    def validated(self, seconds: float) -> None:
        """Record the seconds that a validation took."""
        self.validation = seconds
        self.validations += seconds

    def is_late(self, number: int, plan: Plan) -> bool:
        """Return whether there is a budget with too little time left for any validation but the last."""
        now = time.perf_counter()
        per_step = (now - self.first - self.validations) / max(1, number - self.untimed)
        end = now + (plan.steps - number) * per_step + 2 * self.validation
        return self.budget > 0 and end > self.begun + self.budget

    def plan(self, number: int, model: RecurrentModel, validation: TextSpan, config: TrainingConfig) -> Plan:
        """Return the number of steps, and the validations, that fit the rest of the budget."""
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
