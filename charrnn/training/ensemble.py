"""The networks of a training, one after the other: the time they share, and what is kept of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from charrnn.checkpoint.metadata import MAX_HALVINGS
from charrnn.config import TrainingConfig
from charrnn.errors import DivergedError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.training.loop import Training
from charrnn.training.optim.schedule import AIM, Plan
from charrnn.training.state.checkpoints import CheckpointManager
from charrnn.training.state.init_from import InitialWeights
from charrnn.training.state.resume import Resumed, find_training
from charrnn.training.step import StepResult, StopFlag

MIN_SHARE = 0.8
"""Of the time that a network took, there must be so much left for another one."""
BeginFrom = Resumed | InitialWeights | None
"""A training to resume, or another network's weights to begin with."""


@dataclass(frozen=True)
class SaveEvery:
    """How often the last state is saved between validations: after so many steps, or so many seconds."""

    steps: int | None = None
    seconds: float | None = 300.0

    def is_due(self, checkpoints: CheckpointManager, step: int) -> bool:
        """Whether to save after a step."""
        if self.steps:
            return step - checkpoints.saved_step >= self.steps
        return self.seconds is not None and time.perf_counter() - checkpoints.saved_at >= self.seconds


def train_ensemble(
    checkpoints: CheckpointManager,
    begin_from: BeginFrom = None,
    save_every: SaveEvery | None = None,
    stop: StopFlag | None = None,
    val_progress: Progress | None = None,
) -> Iterator[tuple[StepResult, bool]]:
    """Fit as many networks as the run's model says, each from its own seed, and keep them.

    Of a budget of minutes each gets its share of what is left. The first one measures how many steps that is; the
    others begin with the same plan, and if the machine was slower than it had seemed, there are fewer of them.

    Args:
        checkpoints: of the run; of several processes each calls this, with one of the same run.
        begin_from: a training to resume, or weights to begin with.
        save_every: how often to save between validations.
        stop: ends the training early: the state is saved, and the training can be resumed from it.
        val_progress: called with the characters scored in a validation, and their number.

    Yields:
        Each step, and whether it gave the best state of its network so far.

    Raises:
        DivergedError: the loss exploded once more, after the rate was halved three times.
        CheckpointError: a checkpoint cannot be written, or what was to be resumed is damaged.
    """
    run, save_every = checkpoints.run, save_every or SaveEvery()
    first, plan, initial = 0, None, begin_from
    if isinstance(begin_from, Resumed):
        first, plan, initial = begin_from.resume_state.progress.finished, begin_from.plan, None
        checkpoints.started = (
            time.perf_counter() - begin_from.resume_state.progress.seconds
        )  # the minutes that are gone count
    end = checkpoints.started + 60 * AIM * (run.training.minutes or 0) - run.reserved
    for number in range(first, run.model.networks):
        begun = time.perf_counter()
        training = _begin(checkpoints, number, end, plan, begin_from if number == first else initial)
        while True:
            try:
                for step in training.steps(stop, val_progress, lambda step: save_every.is_due(checkpoints, step)):
                    yield step, checkpoints.save(step) if step.saves else False
                break
            except DivergedError as error:
                if checkpoints.halvings == MAX_HALVINGS:
                    raise
                checkpoints.halvings += 1
                saved = find_training(checkpoints.path, run.context.group)
                if saved and saved.resume_state.progress.finished != number:  # of the network before
                    saved = None
                training = _begin(checkpoints, number, end, training.plan, saved or initial)
                run.context.warn(f"{error} (done: it is halved, and the training goes back to step {training.step})")
        if training.stopped:
            return
        plan = training.plan
        if plan and plan.earlier:
            plan = replace(plan, earlier=())
        checkpoints.finish()
        now = time.perf_counter()
        (left,) = run.context.group.broadcast(end - now - MIN_SHARE * (now - begun))
        if run.training.minutes and left < 0:
            break
    checkpoints.score_ensemble(val_progress)


def _begin(
    checkpoints: CheckpointManager, number: int, end: float, plan: Plan | None, begin_from: BeginFrom
) -> Training:
    """The training of a network, counted from 0, whose share of the time ends with that of all at `end`."""
    run = checkpoints.run
    torch.manual_seed(run.training.seed + number)
    network = RecurrentModel(replace(run.model, networks=1), len(run.corpus.vocabulary)).to(run.context.device)
    if isinstance(begin_from, InitialWeights):
        begin_from.fill(network, run.corpus.vocabulary)
    for cell in network.cells[: run.training.freeze_layers]:
        cell.requires_grad_(False)
    now = time.perf_counter()
    config = _with_share(run.training, end, run.model.networks - number)
    training = Training(network, run.streams, run.corpus.validation, config, now, plan, run.context.group)
    checkpoints.begin(training)
    if isinstance(begin_from, Resumed):
        begin_from.restore(checkpoints)
    training.lr_scale = 0.5**checkpoints.halvings
    return training


def _with_share(config: TrainingConfig, end: float, networks: int) -> TrainingConfig:
    """A training that ends at its share of the time from now to `end`, as `--minutes` plan for an end."""
    if not config.minutes:
        return config
    seconds = max(1.0, end - time.perf_counter()) / networks
    return replace(config, minutes=seconds / AIM / 60)
