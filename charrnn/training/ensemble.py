"""The networks of a training, one after the other: the time they share, and what is kept of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import torch

from charrnn.checkpoint import Checkpoint
from charrnn.checkpoint.metadata import MAX_HALVINGS
from charrnn.errors import DivergedError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.training.loop import Training
from charrnn.training.optim.schedule import AIM, Plan
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.init_from import copy_initial_weights
from charrnn.training.state.resume import Resumed, find_training
from charrnn.training.step import StepResult, StopFlag

MIN_SHARE = 0.8
"""Of the time that a network took, there must be so much left for another one."""
SaveEvery = int | timedelta | None
"""How often the last state is saved between validations: after so many steps, or so much time; never."""
BeginFrom = Resumed | Checkpoint | None
"""A training to resume, or a checkpoint whose weights to begin with."""


def train_ensemble(
    checkpoints: CheckpointManager,
    begin_from: BeginFrom = None,
    save_every: SaveEvery = timedelta(minutes=5),
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
        val_progress: progress callback of a validation, in characters.

    Yields:
        Each step, and whether it gave the best state of its network so far.

    Raises:
        DivergedError: the loss exploded once more, after the rate was halved three times.
        CheckpointError: a checkpoint cannot be written, or what was to be resumed is damaged.
    """
    run = checkpoints.run
    first, plan, initial = 0, None, begin_from
    if isinstance(begin_from, Resumed):
        first, plan, initial = begin_from.resume_state.progress.finished, begin_from.plan, None
        # The minutes that are gone count.
        checkpoints.started = time.perf_counter() - begin_from.resume_state.progress.seconds
    end = checkpoints.started + 60 * AIM * (run.training.minutes or 0) - run.reserved
    for number in range(first, run.model.networks):
        begun = time.perf_counter()
        training = _begin(checkpoints, number, end, plan, begin_from if number == first else initial)
        while True:
            try:
                for step in training.steps(stop, val_progress, lambda step: checkpoints.is_due(save_every, step)):
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
        plan = training.plan  # the same object where nothing changes: a new one is printed
        plan = replace(plan, earlier=()) if plan and plan.earlier else plan
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
    if isinstance(begin_from, Checkpoint):
        copy_initial_weights(begin_from, network, run.corpus.vocabulary)
    for cell in network.cells[: run.training.freeze_layers]:
        cell.requires_grad_(False)
    now, config = time.perf_counter(), run.training
    if config.minutes:
        seconds = max(1.0, end - now) / (run.model.networks - number)
        config = replace(config, minutes=seconds / AIM / 60)  # `--minutes` plan for the share AIM of them
    training = Training(network, run.streams, run.corpus.validation, config, now, plan, run.context.group)
    checkpoints.begin(training)
    if isinstance(begin_from, Resumed):
        begin_from.restore(checkpoints)
    training.lr_scale = 0.5**checkpoints.halvings
    return training
