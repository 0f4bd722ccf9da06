"""What a training and who runs it tell each other: what became of a step, and that it is to stop."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from charrnn.scoring.evaluate import Score
from charrnn.training.optim.schedule import Plan


@dataclass(frozen=True)
class StepResult:
    """One step of training, after it was taken.

    Attributes:
        number: counted from 1.
        characters: read for it.
        loss: mean nats per character of its batch, before the step; a tensor, so that nobody waits for it unasked.
        learning_rate: that it was taken with.
        plan: how long the training is; None as long as `--minutes` is still measuring.
        score: of the validation part, if it was scored after this step.
        last: whether it is the last.
        saves: whether the state after it is to be saved.
    """

    number: int
    characters: int
    loss: Tensor
    learning_rate: float
    plan: Plan | None
    score: Score | None = None
    last: bool = False
    saves: bool = False


class StopFlag:
    """A switch that ends a training after the step that is being taken; it can be resumed from there.

    Attributes:
        asked: whether the training is to end.
        wants_save: whether the state is to be saved after the next step, and the training to go on.
    """

    def __init__(self) -> None:
        self.asked = self.wants_save = False

    def ask(self) -> None:
        """End the training soon."""
        self.asked = True

    def takes_save(self) -> bool:
        """Whether a save was asked for since this was called last."""
        wanted, self.wants_save = self.wants_save, False
        return wanted
