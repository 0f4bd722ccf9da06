"""How long a step takes, found out in the first ones, and what of a budget of minutes is left."""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray

from charrnn.config import TrainingConfig
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.documents import Documents
from charrnn.training.schedule import AIM, MEASURED_SHARE, Plan, plan_minutes

UNTIMED_STEPS = 3
"""The first steps are slow: they allocate, and a GPU's third is recorded."""
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

    def plan(
        self,
        number: int,
        model: RecurrentModel,
        validation: NDArray[Any],
        config: TrainingConfig,
        documents: Documents | None = None,
    ) -> Plan:
        """How many steps, and which validations, fit into what is left of the budget."""
        per_step = (self.latest - self.first) / (number - self.untimed)
        probe = validation[:PROBE_CHARACTERS]
        per_character = 0.0
        if len(probe):
            evaluate(model, probe[:100], documents=documents)  # the first call is slow
            before = time.perf_counter()
            evaluate(model, probe, documents=documents)
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
