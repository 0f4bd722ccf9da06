"""Training as a generator of steps: the caller owns the loop, and with it display, saving and stopping.

Truncated BPTT (Williams and Peng 1990): gradients flow through `seq_length` characters, and the detached state is
carried on to the next batch. The loop knows nothing of text or the command line.
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
"""Number of steps between checks of the loss; each check waits for the GPU."""
MAX_LOSS = 3.0
"""Loss above which training has diverged, as a multiple of the loss of a uniform guess."""


class _Stopped(Exception):  # noqa: N818  # no error
    """Interrupts a validation."""


class Training:
    """The training of one network, with all state that steps depend on.

    Dropout uses PyTorch's global generator of the model's device, which the caller seeds.

    Args:
        model: the network, on the device to train on; changed in place.
        streams: the batches of the training part.
        validation: (N,) the validation part, a span or ids; if empty, there are no scores.
        config: optimizer, length and precision.
        started: `time.perf_counter()` at the start of the time budget (default: now).
        plan: length of the training (default: from `config`).
        group: the processes that train together, each with a part of the streams (default: this process alone).

    Attributes:
        step: number of steps taken.
        plan: length of the training; None while `--minutes` is still measuring.
        state: state of the model after the last step; None before the first.
        optimizer: the optimizer of the model.
        validation_pending: whether the validation after the last step is still to come.
        stopped: whether the training was ended early.
        tuner: chooses the number of threads for steps.
        lr: learning rate of the last step.
        lr_scale: factor of all learning rates.
        loss: training loss of the last step in nats per character, a scalar tensor.
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
            self.tuner = make_thread_tuner()  # several processes wait for the slowest, so they use a fixed number
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
        """Take the remaining steps; the model is in evaluation mode whenever one is yielded.

        Args:
            stop: flag that ends the training early.
            val_progress: progress callback of a validation, in characters.
            saves: returns, for a step number, whether the state after it is to be saved.

        Raises:
            DivergedError: the loss is NaN, or far worse than chance.
            ProcessError: another process of the training has exited.
        """
        torch.set_flush_denormal(True)  # vanishing gradients become denormal numbers, which are slow (oneDNN issue 561)
        try:
            with reuse_freed_memory():
                yield from self._steps(stop or StopFlag(), val_progress, saves)
        finally:
            torch.set_flush_denormal(False)  # other code needs denormals: numpy warns when they are missing

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, not copied, that the remaining steps need besides the weights.

        They do not depend on the number of processes: states are gathered in the order of the streams, and random
        generators are equal. All processes must call this method.
        """
        device = self.model.device
        tensors = {"loss": self.loss, **get_rng_state(device), **self.optimizer.tensors()}
        streams = self.streams.batch_size
        carried = [self.group.all_gather(part, self.rows, streams) for part in self.state or ()]
        return {**tensors, **{f"carried.{i}": part for i, part in enumerate(carried)}}

    def restore(self, step: int, validation_pending: bool, tensors: dict[str, Tensor]) -> None:
        """Restore the state after a step; the model must already have the weights of that step.

        Args:
            step: the number of steps taken.
            validation_pending: whether the validation after that step is still to come.
            tensors: the result of `tensors`.

        Raises:
            ValueError: a tensor is missing or not as expected; the message has the expected and the actual value.
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
            if not self.validation_pending:  # True at first if the training was stopped before a validation
                self._take(take_step, clock)
                saved = self._agree(stop, clock, saves(self.step) or stop.take_save_request())
            if self.validation_pending or saved or self.is_over or self.step % CHECKED_EVERY == 0:
                self.check()
            if self.stopped:
                yield self._done(None, True)
                return
            score = self._validate(stop, clock, val_progress) if self.validation_pending else None
            if self.stopped:  # in the middle of a validation, which is still pending
                yield self._done(None, True)
                return
            self.validation_pending = False
            yield self._done(score, saved)

    @property
    def is_over(self) -> bool:
        """Whether all steps have been taken."""
        return self.plan is not None and self.step >= self.plan.steps

    def _take(self, take_step: TakeStep, clock: Clock) -> None:
        """Take a step."""
        model, config = self.model, self.config
        if self.plan is None:
            self.plan = self._plan(clock)
        plan = self.plan
        steps = plan.steps if plan else 0  # the warm-up does not depend on it
        highest = config.learning_rate * self.lr_scale
        earlier = plan.earlier if plan else ()
        self.lr = learning_rate(self.step, steps, highest, config.warmup_steps, earlier)
        share = self.own_streams.characters(self.step) / self.streams.characters(self.step)
        before = reset_rows(self.state, self.own_streams.begins(self.step))
        weight = share * self.group.size  # DistributedDataParallel averages over processes
        model.train()
        with peer_errors(), self.tuner.piece():
            loss, self.state = take_step(self.own_streams.batch(self.step), before, self.lr, weight)
        self.loss = self.group.mean(loss, share)
        model.eval()
        self.step += 1
        if plan is None:
            self.loss.item()  # wait for the device before the clock is read
            clock.tick(self.step)

    def _plan(self, clock: Clock) -> Plan | None:
        """Return the plan, once rank 0 has measured its speed."""
        plan = None
        if self.group.is_rank_zero and clock.has_measured(self.step, self.config.warmup_steps):
            plan = clock.plan(self.step, self.model, self.validation, self.config)
        numbers = self.group.all_max(*((plan.steps, plan.validate_every, plan.val_characters) if plan else (0, 0, 0)))
        return Plan(numbers[0], numbers[1], numbers[2]) if numbers[0] else None

    def _agree(self, stop: StopFlag, clock: Clock, saves: bool) -> bool:
        """Agree on what follows a step: any process can stop, rank 0 decides on plan, validation and saving.

        Returns:
            Whether to save the state.
        """
        first, plan, steps = self.group.is_rank_zero, self.plan, None
        if plan is not None and not self.is_over:
            if first:
                steps = clock.refit(self.step, plan, self.streams.steps_per_epoch)
            (steps,) = self.group.all_max(steps or 0)
            if steps:
                self.plan = plan = plan.with_steps(self.step, steps)
        late = plan is not None and not self.is_over and clock.is_late(self.step, plan)
        due = plan is not None and plan.validates_after(self.step) and not late
        stopped, is_due, saved = self.group.all_max(stop.requested, due and first, saves and first)
        self.stopped, self.validation_pending = bool(stopped), bool(is_due)
        return bool(saved or stopped)

    def check(self) -> None:
        """Raise DivergedError if the last loss is NaN or far worse than chance; waits for the device."""
        loss = self.loss.item()
        max_loss = MAX_LOSS * math.log(max(2, self.model.vocab_size))  # log 1 would allow no loss at all
        if not loss < max_loss:  # also True for NaN
            raise DivergedError(
                f"step {self.step}: the loss diverged ({loss:.3g} nats per character); try a lower --learning-rate"
            )

    def _validate(self, stop: StopFlag, clock: Clock, progress: Progress | None) -> Score | None:
        """Return the validation score, or None if there is no validation part or the validation was stopped."""
        part = self.validation[: self.plan.val_characters if self.plan else None]
        if not len(part):
            return None

        def report(done: int, total: int) -> None:
            if progress:
                progress(done, total)
            if stop.requested and done < total:
                raise _Stopped

        score, before = None, time.perf_counter()
        if self.group.is_rank_zero:
            with suppress(_Stopped):
                score = evaluate(self.model, part, progress=report)
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
    """Train a network and yield each step; `Training` can also resume.

    Args:
        model: the network, on the device to train on; changed in place.
        streams: the batches of the training part.
        validation: (N,) the validation part, a span or ids; if empty, there are no scores.
        config: optimizer, length and precision.
        stop: flag that ends the training early.

    Raises:
        DivergedError: the loss is NaN, or far worse than chance.
    """
    return Training(model, streams, validation, config).steps(stop)


def _fixed_plan(config: TrainingConfig, streams: Streams, val_characters: int) -> Plan:
    steps = config.steps or DEFAULT_STEPS
    if config.epochs:
        steps = math.ceil(config.epochs * streams.steps_per_epoch)
    every = config.validate_every or DEFAULT_VALIDATE_EVERY
    return Plan(steps, every, val_characters, parse_replanned(config.replanned))
