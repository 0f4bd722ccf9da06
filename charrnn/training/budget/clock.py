"""How long a step takes, found out in the first ones, and what of a budget of minutes is left."""

from __future__ import annotations

import time

from charrnn.config import TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.documents import TextSpan
from charrnn.training.optim.schedule import AIM, MEASURED_SHARE, Plan, plan_minutes

UNTIMED_STEPS = 3
"""The first steps are slow: they allocate, and a GPU's third is recorded."""
CHECKS = 16
"""How often in a budget the plan is compared with the time that is left."""
LATE, EARLY = 0.03, 0.05
"""Share of the budget by which the end may be expected after or before the aim without a change of the plan."""
PROBE_CHARACTERS = 2000
"""Characters scored to find out how long a validation takes."""


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

        Args:
            number: steps taken.
            plan: as it is.
            steps_per_epoch: that read the text once; see `Plan.most_steps`.

        Returns:
            None where it is not yet time to compare, or the plan fits.
        """
        now, (marked, validations, before) = time.perf_counter(), self.marked
        if not self.budget or now - marked < self.budget / CHECKS or number == before:
            return None
        recent = max(1e-9, now - marked - (self.validations - validations)) / (number - before)
        per_step = self.per_step = recent if self.per_step is None else (recent + self.per_step) / 2
        self.mark(number)
        still = sum(plan.validates_after(step) for step in self._ends(number, plan))
        left = self.begun + AIM * self.budget - now - still * self.validation
        over = (plan.steps - number) * per_step - left
        if -EARLY * self.budget <= over <= LATE * self.budget:
            return None
        steps = number + max(1, int(left / per_step))
        if steps > plan.steps:
            steps = max(plan.steps, min(steps, plan.most_steps(steps_per_epoch)))
        return steps if steps != plan.steps else None

    @staticmethod
    def _ends(number: int, plan: Plan) -> list[int]:
        """The steps after which a validation may come."""
        every = plan.validate_every
        return [*range((number // every + 1) * every, plan.steps, every), plan.steps]

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
