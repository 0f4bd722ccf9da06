"""Training as a generator of steps: the caller owns the loop, and with it display, saving and stopping.

Truncated BPTT (Williams and Peng 1990): gradients flow through `seq_length` characters, the state is carried on,
detached, to the next. The loop knows LanguageModel's shape of things, not text and not the command line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import TrainingConfig, parse_replanned
from charrnn.errors import DivergedError
from charrnn.models.hardware.thread_tuner import fixed_threads, make_thread_tuner
from charrnn.models.language_model import State
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.evaluate import Score, evaluate
from charrnn.text.batches import Streams
from charrnn.text.documents import TextSpan
from charrnn.training.budget.clock import Clock
from charrnn.training.distributed import ProcessGroup, peer_errors
from charrnn.training.optim.optimizer import ModelOptimizer, require_tensor
from charrnn.training.optim.precision import dtype_of
from charrnn.training.optim.schedule import DEFAULT_STEPS, DEFAULT_VALIDATE_EVERY, Plan, learning_rate
from charrnn.training.state.rng_state import get_rng_state, set_rng_state
from charrnn.training.step import StepResult, StopFlag, TakeStep, make_step, reset_rows, reuse_freed_memory

CHECKED_EVERY = 50
"""Steps between checks of the loss, each of which waits for the GPU."""
MAX_LOSS = 3.0
"""Times the loss of a uniform guess; a larger loss means that the training has diverged."""


class _Stopped(Exception):  # noqa: N818  # no error
    """Leave a validation."""


class Training:
    """One network while it is trained: what a step changes, and what the next one depends on.

    Dropout draws from PyTorch's global generator of the model's device, which the caller seeds.

    Args:
        model: on the device to train on; changed in place.
        streams: the training part.
        validation: (N,) the validation part, a span or ids; without characters there are no scores.
        config: optimizer, length and precision.
        started: `time.perf_counter()` when the budget of minutes began; now, if not given.
        plan: how long the training is, instead of what the configuration says.
        group: the processes that train together, each with a part of the streams; this one alone, if not given.

    Attributes:
        step: the number of steps taken.
        plan: how long it is; None as long as `--minutes` is still measuring.
        state: of the model after the last step; None before the first.
        optimizer: what changes the weights.
        validation_pending: whether a validation is still to come after the last step.
        stopped: whether it was ended early.
        tuner: how many threads take the steps.
        lr: of the last step.
        lr_scale: what all learning rates are multiplied by.
        loss: of the last step, a scalar.
    """

    state: State | None = None

    def __init__(
        self,
        model: RecurrentModel,
        streams: Streams,
        validation: TextSpan | NDArray[Any],
        config: TrainingConfig,
        started: float | None = None,
        plan: Plan | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        self.model, self.streams, self.validation, self.config = model, streams, TextSpan.of(validation), config
        self.group = group or ProcessGroup()
        self.rows = self.group.rows(streams.batch_size)
        self.own_streams = streams.slice(self.rows)
        if self.group.size > 1:
            model.rows = (self.rows, streams.batch_size)
        self.dtype = dtype_of(config, model.device)
        self.optimizer = ModelOptimizer(model, config, self.dtype, self.group)
        self.tuner = fixed_threads(config.threads or torch.get_num_threads())
        if config.threads is None and model.device.type == "cpu" and self.group.size == 1:
            self.tuner = make_thread_tuner()  # several processes all wait for the slowest: there the number is fixed
        self.plan = plan
        if plan is None and not config.minutes:
            self.plan = _fixed_plan(config, streams, len(validation))
        self.started = time.perf_counter() if started is None else started
        self.step, self.validation_pending, self.stopped, self.lr, self.lr_scale = 0, False, False, 0.0, 1.0
        self.loss = torch.tensor(math.nan)

    def steps(
        self,
        stop: StopFlag | None = None,
        val_progress: Progress | None = None,
        saves: Callable[[int], bool] = lambda number: False,
    ) -> Iterator[StepResult]:
        """Take the steps that are left; the model is in evaluation mode whenever one is yielded.

        Args:
            stop: ends the training early.
            val_progress: progress callback of a validation, in characters.
            saves: asked after a step, by its number, whether its state is to be saved.

        Raises:
            DivergedError: the loss is no longer a number, or far beyond chance.
            ProcessError: another process of the training is gone.
        """
        torch.set_flush_denormal(True)  # vanishing gradients are denormal, and those are slow (oneDNN issue 561)
        try:
            with reuse_freed_memory():
                yield from self._steps(stop or StopFlag(), val_progress, saves)
        finally:
            torch.set_flush_denormal(False)  # others count on small numbers: numpy warns when it finds none

    def tensors(self) -> dict[str, Tensor]:
        """What the steps that are left depend on beside the weights, by name; it is not copied.

        The same for any number of processes, all of which must ask: states are gathered by the number of the
        stream, and the random generators of all are equal.
        """
        device = self.model.device
        tensors = {"loss": self.loss, **get_rng_state(device), **self.optimizer.tensors()}
        streams = self.streams.batch_size
        carried = [self.group.all_gather(part, self.rows, streams) for part in self.state or ()]
        return {**tensors, **{f"carried.{i}": part for i, part in enumerate(carried)}}

    def restore(self, step: int, validation_pending: bool, tensors: dict[str, Tensor]) -> None:
        """Go on where `tensors` came from; the weights must be those of then.

        Raises:
            ValueError: a tensor is missing, or is not what it should be; the message names it, what was expected and
                what was found.
        """
        device, rows = self.model.device, self.streams.batch_size
        self.step, self.validation_pending = step, validation_pending
        self.model.eval()
        self.optimizer.restore(tensors)
        self.loss = require_tensor(tensors, "loss", ()).to(device)
        sizes = self.model.state_sizes
        carried = [require_tensor(tensors, f"carried.{i}", (rows, size)) for i, size in enumerate(sizes)]
        self.state = tuple(part[self.rows].to(device) for part in carried)
        set_rng_state(tensors, device)

    def _steps(
        self, stop: StopFlag, val_progress: Progress | None, saves: Callable[[int], bool]
    ) -> Iterator[StepResult]:
        self.stopped = False
        take_step = make_step(self.optimizer, self.group.data_parallel(self.model))
        clock = Clock(self.started, 60 * (self.config.minutes or 0), self.step)
        while self.validation_pending or not self.is_over:
            saved = False
            if not self.validation_pending:  # else a training that was stopped had no time for it
                self._take(take_step, clock)
                saved = self._agree(stop, clock, saves(self.step) or stop.takes_save())
            if self.validation_pending or saved or self.is_over or self.step % CHECKED_EVERY == 0:
                self.check()
            if self.stopped:
                yield self._done(None, True)
                return
            score = self._validate(stop, clock, val_progress) if self.validation_pending else None
            if self.stopped:  # in the middle of a validation, which then is still due
                yield self._done(None, True)
                return
            self.validation_pending = False
            yield self._done(score, saved)

    @property
    def is_over(self) -> bool:
        """Whether all steps were taken."""
        return self.plan is not None and self.step >= self.plan.steps

    def _take(self, take_step: TakeStep, clock: Clock) -> None:
        """Take a step, and find out what is due after it."""
        model, config = self.model, self.config
        if self.plan is None:
            self.plan = self._plan(clock)
        plan = self.plan
        steps = plan.steps if plan else 0  # no matter: the rate of the warm-up does not depend on it
        highest = config.learning_rate * self.lr_scale
        earlier = plan.earlier if plan else ()
        self.lr = learning_rate(self.step, steps, highest, config.warmup_steps, earlier)
        share = self.own_streams.characters(self.step) / self.streams.characters(self.step)
        before = reset_rows(self.state, self.own_streams.begins(self.step))
        weight = share * self.group.size  # DistributedDataParallel takes the mean
        model.train()
        with peer_errors(), self.tuner.piece():
            loss, self.state = take_step(self.own_streams.batch(self.step), before, self.lr, weight)
        self.loss = self.group.mean(loss, share)
        model.eval()
        self.step += 1
        if plan is None:
            self.loss.item()  # wait for the device, so that the clock is right
            clock.tick(self.step)

    def _plan(self, clock: Clock) -> Plan | None:
        """How long the training is, once the first process has measured its speed."""
        plan = None
        if self.group.is_rank_zero and clock.has_measured(self.step, self.config.warmup_steps):
            plan = clock.plan(self.step, self.model, self.validation, self.config)
        numbers = self.group.all_max(*((plan.steps, plan.validate_every, plan.val_characters) if plan else (0, 0, 0)))
        return Plan(numbers[0], numbers[1], numbers[2]) if numbers[0] else None

    def _agree(self, stop: StopFlag, clock: Clock, saves: bool) -> bool:
        """What all processes do after a step: stop if one is asked to; what the first one says of plan and files."""
        first, plan, steps = self.group.is_rank_zero, self.plan, None
        if plan is not None and not self.is_over:
            if first:
                steps = clock.refit(self.step, plan, self.streams.steps_per_epoch)
            (steps,) = self.group.all_max(steps or 0)
            if steps:
                self.plan = plan = plan.changed(self.step, steps)
        late = plan is not None and not self.is_over and clock.is_late(self.step, plan)
        due = plan is not None and plan.validates_after(self.step) and not late
        stopped, is_due, saved = self.group.all_max(stop.asked, due and first, saves and first)
        self.stopped, self.validation_pending = bool(stopped), bool(is_due)
        return bool(saved or stopped)

    def check(self) -> None:
        """Raise DivergedError unless the last loss is a good one; it waits for the device."""
        loss = self.loss.item()
        max_loss = MAX_LOSS * math.log(max(2, self.model.vocab_size))  # of a single character the loss is 0
        if not loss < max_loss:  # NaN is not less, either
            raise DivergedError(f"after step {self.step}: the loss is {loss:.3g}; say a lower --learning-rate")

    def _validate(self, stop: StopFlag, clock: Clock, progress: Progress | None) -> Score | None:
        """The score, or None where there is nothing to score, or no time for it."""
        part = self.validation[: self.plan.val_characters if self.plan else None]
        if not len(part):
            return None

        def go_on(done: int, total: int) -> None:
            if progress:
                progress(done, total)
            if stop.asked and done < total:
                raise _Stopped

        score, before = None, time.perf_counter()
        if self.group.is_rank_zero:
            with suppress(_Stopped):
                score = evaluate(self.model, part, progress=go_on)
                clock.validated(time.perf_counter() - before)
        score = self.group.broadcast_score(score)
        self.stopped = score is None
        return score

    def _done(self, score: Score | None, saves: bool) -> StepResult:
        size = self.streams.characters(max(0, self.step - 1))
        last = self.is_over and not self.validation_pending
        return StepResult(
            self.step, size, self.loss, self.lr, self.plan, score, last, saves or last or score is not None
        )


def train(
    model: RecurrentModel,
    streams: Streams,
    validation: TextSpan | NDArray[Any],
    config: TrainingConfig,
    stop: StopFlag | None = None,
) -> Iterator[StepResult]:
    """Fit a network; see `Training`, which can also go on where one was stopped."""
    return Training(model, streams, validation, config).steps(stop)


def _fixed_plan(config: TrainingConfig, streams: Streams, val_characters: int) -> Plan:
    steps = config.steps or DEFAULT_STEPS
    if config.epochs:
        steps = math.ceil(config.epochs * streams.steps_per_epoch)
    every = config.validate_every or DEFAULT_VALIDATE_EVERY
    return Plan(steps, every, val_characters, parse_replanned(config.replanned))
