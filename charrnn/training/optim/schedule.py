"""The learning-rate schedule, and the plan of a training: steps and validations that fit a time budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

DEFAULT_STEPS = 4000
DEFAULT_VALIDATE_EVERY = 1000
"""Default number of steps between validations."""
MAX_VALIDATIONS = 10
VALIDATION_SHARE = 0.2
"""Maximum fraction of the time budget for the final validation."""
VALIDATIONS_SHARE = 0.05
"""Maximum fraction of the time budget for all validations, if there are several."""
AIM = 0.97
"""Planned fraction of the time budget: a warm or busy machine slows down more often than it speeds up."""
MEASURED_SHARE = 0.08
"""Fraction of the time budget spent on measuring the speed of steps, unless the warm-up ends before."""

FREE_EPOCHS = 4.0
"""Number of epochs that need no dropout."""
MAX_LONGER = 1.5
"""Maximum growth of a plan beyond `FREE_EPOCHS`, as a factor: dropout was chosen for the first plan."""

Earlier = tuple[tuple[int, int], ...]
"""Earlier plans in order, as (last step under the plan, total steps of the plan)."""


def learning_rate(step: int, steps: int, highest: float, warmup_steps: int, earlier: Earlier = ()) -> float:
    """Return the learning rate of a step: linear warm-up to the peak, then cosine decay to 0.

    The warm-up does not depend on `steps`, because with `--minutes` the total is measured during the warm-up. If the
    total changes later, the rate continues from its current value and decays faster or more slowly.

    Args:
        step: the step, counted from 0.
        steps: total number of steps.
        highest: peak learning rate, at the end of the warm-up.
        warmup_steps: length of the warm-up in steps.
        earlier: earlier plans, see `Plan`.
    """
    if step < warmup_steps:
        return highest * (step + 1) / warmup_steps
    done, begin = 0.0, warmup_steps
    for until, total in (*earlier, (step, steps)):
        end = min(step, until)
        if end > begin:
            done += (1 - done) * min(1.0, (end - begin) / max(1, total - begin))
            begin = end
    return highest * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Plan:
    """The length of a training.

    Attributes:
        steps: total number of steps.
        validate_every: steps between validations; one always follows the last step.
        val_characters: number of characters of the validation part that each validation scores.
        earlier: earlier plans, if the total number of steps has changed.
    """

    steps: int
    validate_every: int
    val_characters: int
    earlier: Earlier = ()

    def with_steps(self, number: int, steps: int) -> Plan:
        """Return the plan with another total number of steps, from step `number` on."""
        return replace(self, steps=steps, earlier=(*self.earlier, (number, self.steps)))

    def max_steps(self, steps_per_epoch: float) -> int:
        """Return the largest total number of steps that the plan may be changed to."""
        first = self.earlier[0][1] if self.earlier else self.steps
        return max(math.floor(MAX_LONGER * first), math.floor(FREE_EPOCHS * steps_per_epoch))

    def validates_after(self, step: int) -> bool:
        """Return whether a validation follows step `step`, counted from 1.

        One always follows the last step; a validation shortly before that is skipped.
        """
        if step == self.steps:
            return True
        return step % self.validate_every == 0 and self.steps - step >= self.validate_every / 2


def plan_minutes(
    seconds_left: float,
    steps_done: int,
    seconds_per_step: float,
    seconds_per_val_character: float,
    val_characters: int,
    validate_every: int | None = None,
) -> Plan:
    """Return the plan that fits the remaining time, validations included.

    There is always a final validation; there are more as long as all together take at most `VALIDATIONS_SHARE`. If one
    takes more than `VALIDATION_SHARE`, validations score fewer than `val_characters` characters.

    Args:
        seconds_left: remaining time.
        steps_done: number of steps taken.
        seconds_per_step: measured time of a step.
        seconds_per_val_character: measured time of scoring a character.
        val_characters: length of the validation part.
        validate_every: steps between validations; chosen if None.
    """
    seconds = max(seconds_left, 0.0)
    affordable = VALIDATION_SHARE * seconds
    characters = val_characters
    if seconds_per_val_character * characters > affordable:
        characters = min(val_characters, max(1000, int(affordable / seconds_per_val_character)))
    cost = seconds_per_val_character * characters
    if validate_every is None:
        validations = max(1, min(MAX_VALIDATIONS, int(VALIDATIONS_SHARE * seconds / cost) if cost else 1))
        steps = steps_done + max(1, int((seconds_left - validations * cost) / seconds_per_step))
        return Plan(steps, math.ceil(steps / validations), characters)
    per_step = seconds_per_step + cost / validate_every
    steps = steps_done + max(1, int((seconds_left - cost) / per_step))
    return Plan(steps, validate_every, characters)
