"""The learning rate, and what a budget of minutes buys; arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

DEFAULT_STEPS = 4000
DEFAULT_VALIDATE_EVERY = 1000
MAX_VALIDATIONS = 10
VALIDATION_SHARE = 0.2
"""Share of the minutes that the validation at the end may take."""
VALIDATIONS_SHARE = 0.05
"""Share of the minutes that all may take, as long as one remains."""
AIM = 0.97
"""Share of the minutes that is planned for: a machine slows down, warm or busy, more often than it speeds up."""
MEASURED_SHARE = 0.08
"""Share of the minutes that is spent on steps until the speed counts as measured, if the warm-up is that long."""

FREE_EPOCHS = 4.0
"""As often a text may be read before dropout pays."""
MAX_LONGER = 1.5
"""A plan may grow to so many times the first one if the text is then read more often than that: dropout was chosen by
the first one."""

Earlier = tuple[tuple[int, int], ...]
"""Plans that were changed, in order: until which step each held, and how many steps it had in all."""


def learning_rate(step: int, steps: int, highest: float, warmup_steps: int, earlier: Earlier = ()) -> float:
    """A line up to the highest rate over the warm-up, then half a cosine down to 0.

    During the warm-up the rate does not depend on `steps`: that is when `--minutes` finds out how many there will be.
    Where the number of steps was changed on the way, the rate goes on from where it was, faster or more slowly.

    Args:
        step: counted from 0.
        steps: how many there are in all.
        highest: the rate at the end of the warm-up.
        warmup_steps: its length.
        earlier: see `Plan`.
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
    """How long a training is.

    Attributes:
        steps: steps in all.
        validate_every: steps between validations; there is always one at the end.
        val_characters: how many characters of the validation part are scored each time.
        earlier: plans that held before, where the number of steps was changed on the way.
    """

    steps: int
    validate_every: int
    val_characters: int
    earlier: Earlier = ()

    def changed(self, number: int, steps: int) -> Plan:
        """The same with another number of steps in all, from step `number` on."""
        return replace(self, steps=steps, earlier=(*self.earlier, (number, self.steps)))

    def most_steps(self, steps_per_epoch: float) -> int:
        """Up to how many steps in all it may be changed to."""
        first = self.earlier[0][1] if self.earlier else self.steps
        return max(math.floor(MAX_LONGER * first), math.floor(FREE_EPOCHS * steps_per_epoch))

    def validates_after(self, step: int) -> bool:
        """Whether a validation follows step number `step`, counted from 1.

        The last one comes with the last step, so one that would come shortly before it is left out.
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
    """What fits into the time that is left, validations included.

    One validation, the last, is always paid for; there are more as long as all take at most `VALIDATIONS_SHARE`.
    Where one alone takes more than `VALIDATION_SHARE`, it scores fewer of the `val_characters` of the validation part.
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
