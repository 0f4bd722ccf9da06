"""What a training is like while it goes on: its loss and speed, looked at now and then, and samples along the way."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.config import SamplingConfig
from charrnn.sampling.generate import generate
from charrnn.training.events import Step
from charrnn.training.loop import Training
from charrnn.training.state.checkpoints import Keeper

SAMPLING = SamplingConfig(temperature=0.8, length=200)
"""How the samples along the way are drawn; the seed is the number of the step."""
REPORTS = 10
"""How many samples a training gives, where validations are rarer."""
EVERY = 0.2
"""Seconds between looks at the loss, which on a GPU is worth waiting for only now and then."""
SMOOTHING = 0.9


@dataclass(frozen=True)
class Look:
    """What the steps since the last look were like.

    Attributes:
        step: the last of them.
        network: of several, counted from 1.
        steps: how many.
        loss: their mean, nats per character.
        chars_per_second: of training, smoothed.
        seconds: since the training began, those before a pause included.
        is_best: whether the state after them is the best so far.
        is_report: whether they are worth a line: after a validation, the last step, and each tenth of all.
        sample: what the network writes now, if it was asked.
    """

    step: Step
    network: int
    steps: int
    loss: float
    chars_per_second: float
    seconds: float
    is_best: bool
    is_report: bool
    sample: str | None


class Watch:
    """Looks at a training a few times a second.

    Args:
        keeper: of its checkpoints, which knows the network that is trained.

    Attributes:
        sampling_seconds: what the last sample took.
    """

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.training: Training | None = None
        self.losses: list[Tensor] = []
        self.characters, self.speed, self.sampling_seconds = 0, 0.0, 0.0
        self.looked_at = time.perf_counter()

    def take(self, step: Step, is_best: bool, wants_sample: bool = False) -> Look | None:
        """Take in a step.

        Args:
            step: the next one.
            is_best: whether it gave the best state so far.
            wants_sample: whether a sample is wanted though there is nothing to report.

        Returns:
            What there is to see, if it is time to look.
        """
        keeper = self.keeper
        if keeper.training is not self.training:
            self.training = keeper.training
            self.losses.clear()
        self.losses.append(step.loss)
        self.characters += step.characters
        is_report = bool(step.score) or step.last or self._is_due(step)
        now = time.perf_counter()
        if not (is_report or wants_sample or now - self.looked_at > EVERY):
            return None
        loss = torch.stack(self.losses).mean().item()
        speed = self.characters / max(1e-9, now - self.looked_at)
        if not self.speed:
            self.speed = speed
        elif not step.score:  # else the time has gone into validating
            self.speed += (1 - SMOOTHING) * (speed - self.speed)
        look = Look(
            step,
            len(keeper.finished) + 1,
            len(self.losses),
            loss,
            self.speed,
            now - keeper.started,
            is_best,
            is_report,
            self._sample(step) if is_report or wants_sample else None,
        )
        self.losses.clear()
        self.characters, self.looked_at = 0, time.perf_counter()
        return look

    def _is_due(self, step: Step) -> bool:
        if step.plan is None:
            return False
        every = max(1, step.plan.steps * self.keeper.model.networks // REPORTS)
        # The last step has a line of its own, and one shortly before it would say the same.
        return step.number % every == 0 and step.plan.steps - step.number >= every / 2

    def _sample(self, step: Step) -> str:
        begun, corpus = time.perf_counter(), self.keeper.corpus
        config = dataclasses.replace(SAMPLING, seed=step.number)
        model = self.keeper.training.model
        text = "".join(generate(model, corpus.vocabulary, config, documents=corpus.documents))
        self.sampling_seconds = time.perf_counter() - begun
        return text
