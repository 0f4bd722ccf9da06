"""One step of training: read a batch, change the weights; on a GPU recorded once as a CUDA graph and then replayed.

A step is hundreds of kernels of a few microseconds each, which take Python longer to ask for than the GPU to do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.errors import CaptureError
from charrnn.models.hardware.gpu_features import capture_error_message, has_cuda_graphs, is_allowed
from charrnn.models.language_model import State
from charrnn.scoring.evaluate import Score
from charrnn.text.batches import IGNORE_INDEX
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.schedule import Plan

Batch = tuple[Tensor, Tensor]
TakeStep = Callable[[Batch, State | None, float, float], tuple[Tensor, State]]
"""Takes inputs and targets, (B, T) int64 each, on any device, where targets may be IGNORED; the state before them; the
learning rate; and the weight of the loss in its gradients, which is not 1 where several processes train. Returns the
loss before the change, a scalar, the mean over the targets; and the state after the batch, without a graph."""

WARMUP_STEPS = 2
"""Before a step is recorded it is taken as it is: what is made at first use (moments, workspaces, compiled kernels)
must be there."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""glibc's settings, see `mallopt` in malloc.h: what may lie free at the heap's end; how many blocks lie outside."""
KEEP_FREED = {M_TRIM_THRESHOLD: -1, M_MMAP_MAX: 0}
GLIBC_DEFAULTS = {M_TRIM_THRESHOLD: 128 * 1024, M_MMAP_MAX: 65536}


@dataclass(frozen=True)
class StepResult:
    """One step of training, after it was taken.

    Attributes:
        number: counted from 1.
        characters: read for it.
        loss: mean nats per character of its batch, before the step; a tensor, so that reading it is up to the caller.
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
        exit_status: what a shell expects of a program that a signal has ended: 128 and its number; 0 without one.
    """

    def __init__(self) -> None:
        self.asked = self.wants_save = False
        self.exit_status = 0

    def ask(self, signal_number: int | None = None) -> None:
        """End the training soon."""
        self.asked = True
        if signal_number is not None:
            self.exit_status = 128 + signal_number

    def takes_save(self) -> bool:
        """Whether a save was asked for since this was called last."""
        wanted, self.wants_save = self.wants_save, False
        return wanted


def make_step(optimizer: ModelOptimizer, shared: nn.Module | None = None, is_alone: bool = True) -> TakeStep:
    """How to take the steps of a training, on the model's device; the model must be in training mode.

    Args:
        optimizer: of the model.
        shared: the same model, where several processes train it (`data_parallel`). Its steps are not recorded.
        is_alone: False for steps that are timed for several processes: they are not recorded either.
    """
    model = optimizer.model
    can_record = has_cuda_graphs(model.device) and shared in (None, model) and is_alone
    if can_record and is_allowed("graphs", model.device):
        return CudaGraphStep(optimizer)
    return lambda batch, state, lr, weight: take_step(optimizer, batch, state, lr, shared, weight)


def reset_rows(state: State | None, begins: Tensor | None) -> State | None:
    """A state with rows that remember nothing.

    Args:
        state: (B, S) for each layer.
        begins: (B,) bool, the rows; None: none.
    """
    if state is None or begins is None:
        return state
    rows = _pinned(begins, state[0].device).to(state[0].device, non_blocking=True)[:, None]
    return tuple(part.masked_fill(rows, 0) for part in state)


def take_step(
    optimizer: ModelOptimizer,
    batch: Batch,
    state: State | None,
    lr: float | Tensor,
    shared: nn.Module | None = None,
    weight: float = 1.0,
) -> tuple[Tensor, State]:
    """One step. See `TakeStep` and `make_step`; the learning rate is a scalar on the device during a capture."""
    model, dtype = optimizer.model, optimizer.dtype
    if model.device.type == "cuda" and not isinstance(lr, Tensor):  # the same arithmetic as in a recorded step
        lr = torch.full((), lr, device=model.device)
    inputs, targets = (_pinned(part, model.device).to(model.device, non_blocking=True) for part in batch)
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        logits, state = (shared or model)(inputs, state)
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX)
    optimizer.step(loss * weight if weight != 1 else loss, lr)
    return loss.detach(), tuple(part.detach() for part in state)


class CudaGraphStep:
    """Steps on a CUDA device: a few as they are, then one that is recorded, then that again, with other numbers in it.

    A batch of another shape than the recorded one is taken as it is. Where graphs may be used at all is decided by
    `kernels/gpu_features.py`.

    Attributes:
        graph: what was recorded; None before.
    """

    def __init__(self, optimizer: ModelOptimizer) -> None:
        self.optimizer, self.model, self.taken = optimizer, optimizer.model, 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(self.model.device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch, state: State | None, lr: float, weight: float = 1.0) -> tuple[Tensor, State]:
        """See `TakeStep`. The state that is returned is changed by the next step.

        Raises:
            CaptureError: CUDA cannot record the step; the process must end.
        """
        assert weight == 1  # several processes record none
        with torch.cuda.device(self.model.device):  # streams and graphs are the current device's
            self.taken += 1
            if self.taken == WARMUP_STEPS + 1:
                self._record(batch)
            if self.graph is None or batch[0].shape != self.batch[0].shape:
                return self._take(batch, state, lr)
            before = self.model.empty_state(len(batch[0])) if state is None else state
            for buffer, value in zip((*self.batch, *self.state), (*batch, *before), strict=True):
                if buffer is not value:
                    buffer.copy_(_pinned(value, buffer.device), non_blocking=True)
            self.lr.fill_(lr)
            self.graph.replay()
            return self.loss.clone(), self.state

    def _take(self, batch: Batch, state: State | None, lr: float) -> tuple[Tensor, State]:
        """As it is, on another stream than the default: a later recording must not depend on that one."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            taken = take_step(self.optimizer, batch, state, lr)
        torch.cuda.current_stream().wait_stream(self.stream)
        return taken

    def _record(self, batch: Batch) -> None:
        """Capture a step; nothing is computed yet."""
        device = self.model.device
        inputs, targets = (part.to(device, copy=True).contiguous() for part in batch)
        self.batch = inputs, targets  # replays write into them
        self.state = self.model.empty_state(len(batch[0]))
        self.lr = torch.zeros((), device=device)
        self.optimizer.set_capturable(True)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.loss, after = take_step(self.optimizer, self.batch, self.state, self.lr)
                for buffer, new in zip(self.state, after, strict=True):
                    buffer.copy_(new)
        except RuntimeError as error:  # CUDA says so of whatever it cannot record
            raise CaptureError(capture_error_message(error)) from error
        self.graph = graph


def _pinned(part: Tensor, device: torch.device) -> Tensor:
    """In pages that stay in memory, if a GPU is to copy it: or the copy would wait for all steps before it."""
    if device.type == "cuda" and part.device.type == "cpu":
        return part.contiguous().pin_memory()
    return part


@contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Keep freed memory for the next step, where the C library supports it; give it back at the end.

    glibc returns large blocks to the system at once, and the system hands them out again page by page, in zeros: for
    the tensors of a wide network that is a tenth of a training step.
    """
    try:
        libc = ctypes.CDLL(None)
        mallopt, trim = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        yield
        return
    for name, value in KEEP_FREED.items():
        mallopt(name, value)
    try:
        yield
    finally:
        for name, value in GLIBC_DEFAULTS.items():
            mallopt(name, value)
        trim(0)
