"""Train the networks of an ensemble one after another, in a shared time budget."""

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
"""Remaining time required to train another network, as a fraction of the time for the previous one."""
SaveEvery = int | timedelta | None
"""Interval between saves of the last state: a number of steps, a time, or None to save only after validations."""
BeginFrom = Resumed | Checkpoint | None
"""A training to resume, or a checkpoint with initial weights."""


def train_ensemble(
    checkpoints: CheckpointManager,
    begin_from: BeginFrom = None,
    save_every: SaveEvery = timedelta(minutes=5),
    stop: StopFlag | None = None,
    val_progress: Progress | None = None,
) -> Iterator[tuple[StepResult, bool]]:
    """Train the networks of a run, each with its own seed, and save checkpoints.

    Networks share the remaining time of a time budget equally. The first one measures how many steps fit, and the
    others start with the same plan; if the machine turns out slower, there are fewer networks.

    Args:
        checkpoints: the checkpoint manager of the run. Each of several processes calls this function with its own.
        begin_from: a training to resume, or a checkpoint with initial weights.
        save_every: interval between saves, in addition to those after validations.
        stop: flag that ends the training early; the state is saved, so that the training can be resumed.
        val_progress: progress callback of a validation, in characters.

    Yields:
        Each step, and whether the state after it is the best of its network so far.

    Raises:
        DivergedError: the loss diverged again after the learning rate was halved three times.
        CheckpointError: a checkpoint cannot be written, or the state to resume is damaged.
    """
    run = checkpoints.run
    first, plan, initial = 0, None, begin_from
    if isinstance(begin_from, Resumed):
        first, plan, initial = begin_from.resume_state.progress.finished, begin_from.plan, None
        # Time used before the interruption counts toward the budget.
        checkpoints.started = time.perf_counter() - begin_from.resume_state.progress.seconds
    end = checkpoints.started + 60 * AIM * (run.training.minutes or 0) - run.reserved
    for number in range(first, run.model.networks):
        begun = time.perf_counter()
        training = _begin(checkpoints, number, end, plan, begin_from if number == first else initial)
        while True:
            try:
                for step in training.steps(stop, val_progress, lambda step: checkpoints.is_save_due(save_every, step)):
                    yield step, checkpoints.save(step) if step.saves else False
                break
            except DivergedError as error:
                if checkpoints.halvings == MAX_HALVINGS:
                    raise
                checkpoints.halvings += 1
                saved = find_training(checkpoints.path, run.context.group)
                if saved and saved.resume_state.progress.finished != number:  # a state of the previous network
                    saved = None
                training = _begin(checkpoints, number, end, training.plan, saved or initial)
                problem = str(error).partition(";")[0]  # without the advice, which is followed here
                run.context.warn(f"{problem}; learning rate halved, training continues from step {training.step}")
        if training.stopped:
            return
        plan = training.plan  # the same object unless something changes, because a new plan is printed
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
    """Set up the training of network `number`, counted from 0; the time of all networks ends at `end`."""
    run = checkpoints.run
    torch.manual_seed(run.training.seed + number)
    network = RecurrentModel(replace(run.model, networks=1), len(run.corpus.vocabulary)).to(run.context.device)
    if network.ngrams and not begin_from:
        network.ngrams.set_ngrams(run.ngram_keys)
    if isinstance(begin_from, Checkpoint):
        copy_initial_weights(begin_from, network, run.corpus.vocabulary)
    for cell in network.cells[: run.training.freeze_layers]:
        cell.requires_grad_(False)
    now, config = time.perf_counter(), run.training
    if config.minutes:
        seconds = max(1.0, end - now) / (run.model.networks - number)
        config = replace(config, minutes=seconds / AIM / 60)  # a plan fills the fraction AIM of the minutes
    training = Training(network, run.streams, run.corpus.validation, config, now, plan, run.context.group)
    checkpoints.begin(training)
    if isinstance(begin_from, Resumed):
        begin_from.restore(checkpoints)
    training.lr_scale = 0.5**checkpoints.halvings
    return training
