"""One training step: read a batch and update the weights; on a GPU, captured once as a CUDA graph and replayed.

A step is hundreds of kernels of a few microseconds each; Python takes longer to launch them than the GPU to run them.
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
"""Function that takes a training step.

Its arguments are inputs and targets, (B, T) int64 each, on any device (targets may be `IGNORE_INDEX`); the state before
them; the learning rate; and the weight of the loss in the gradients, which is 1 unless several processes train. It
returns the loss before the update, a scalar, the mean over the targets; and the detached state after the batch."""

WARMUP_STEPS = 2
"""Number of plain steps before a step is captured, in which moments, workspaces and compiled kernels are created."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt` (malloc.h): free memory kept at the end of the heap, and number of blocks outside."""
KEEP_FREED = {M_TRIM_THRESHOLD: -1, M_MMAP_MAX: 0}
"""Values that keep freed memory in the process."""
GLIBC_DEFAULTS = {M_TRIM_THRESHOLD: 128 * 1024, M_MMAP_MAX: 65536}
"""Default values of glibc."""


@dataclass(frozen=True)
class StepResult:
    """The result of a training step.

    Attributes:
        number: number of the step, counted from 1.
        characters: number of characters in its batch.
        loss: training loss before the update, in nats per character; a tensor, because reading it waits for the device.
        learning_rate: learning rate of the step.
        plan: length of the training; None while `--minutes` is still measuring.
        score: score of the validation part, if there was a validation after this step.
        last: whether this is the last step.
        saves: whether the state after this step is to be saved.
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
    """A flag that ends a training after the current step; the training can be resumed from there.

    Attributes:
        asked: whether the training is to end.
        wants_save: whether to save the state after the next step and continue.
        exit_status: exit status after a signal, 128 + its number; 0 without a signal.
    """

    def __init__(self) -> None:
        self.requested = self.save_requested = False
        self.exit_status = 0

    def request(self, signal_number: int | None = None) -> None:
        """Request the end of the training, optionally because of a signal."""
        self.requested = True
        if signal_number is not None:
            self.exit_status = 128 + signal_number

    def take_save_request(self) -> bool:
        """Return whether a save was requested since the last call."""
        wanted, self.save_requested = self.save_requested, False
        return wanted


def make_step(optimizer: ModelOptimizer, shared: nn.Module | None = None, is_alone: bool = True) -> TakeStep:
    """Return a function that takes training steps on the model's device; the model must be in training mode.

    Args:
        optimizer: the optimizer of the model.
        shared: the model wrapped for several processes (`data_parallel`); its steps are not captured.
        is_alone: False for steps that are timed for several processes; they are not captured, either.
    """
    model = optimizer.model
    # Whether the gradient of a large table can be captured was never tried on a GPU.
    can_capture = has_cuda_graphs(model.device) and shared in (None, model) and is_alone and not model.ngrams
    if can_capture and is_allowed("graphs", model.device):
        return CudaGraphStep(optimizer)
    return lambda batch, state, lr, weight: take_step(optimizer, batch, state, lr, shared, weight)


def reset_rows(state: State | None, begins: Tensor | None) -> State | None:
    """Return a state with some rows set to zero.

    Args:
        state: (B, S) for each layer.
        begins: (B,) bool, the rows to reset; None: none.
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
    """Take one step, see `TakeStep` and `make_step`; during a capture the learning rate is a scalar on the device."""
    model, dtype = optimizer.model, optimizer.dtype
    if model.device.type == "cuda" and not isinstance(lr, Tensor):  # same arithmetic as in a captured step
        lr = torch.full((), lr, device=model.device)
    inputs, targets = (_pinned(part, model.device).to(model.device, non_blocking=True) for part in batch)
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        logits, state = (shared or model)(inputs, state)
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX)
    optimizer.step(loss * weight if weight != 1 else loss, lr)
    return loss.detach(), tuple(part.detach() for part in state)


class CudaGraphStep:
    """Training steps on a CUDA device by a CUDA graph: a few plain steps, a capture, then replays with new inputs.

    A batch of another shape than the captured one gets a plain step. `hardware/gpu_features.py` decides whether graphs
    are used at all.

    Attributes:
        graph: the captured graph; None before the capture.
    """

    def __init__(self, optimizer: ModelOptimizer) -> None:
        self.optimizer, self.model, self.taken = optimizer, optimizer.model, 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(self.model.device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch, state: State | None, lr: float, weight: float = 1.0) -> tuple[Tensor, State]:
        """Take a step, see `TakeStep`. The next step overwrites the returned state.

        Raises:
            CaptureError: CUDA cannot capture the step; the process must end.
        """
        assert weight == 1  # several processes do not capture steps
        with torch.cuda.device(self.model.device):  # streams and graphs belong to the current device
            self.taken += 1
            if self.taken == WARMUP_STEPS + 1:
                self._capture(batch)
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
        """Take a plain step on a side stream, because a later capture must not depend on the default stream."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            taken = take_step(self.optimizer, batch, state, lr)
        torch.cuda.current_stream().wait_stream(self.stream)
        return taken

    def _capture(self, batch: Batch) -> None:
        """Capture a step without computing it."""
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
        except RuntimeError as error:  # CUDA's error for anything that cannot be captured
            raise CaptureError(capture_error_message(error)) from error
        self.graph = graph


def _pinned(part: Tensor, device: torch.device) -> Tensor:
    """Pin CPU memory that a GPU copies; otherwise the copy would wait for all earlier steps."""
    if device.type == "cuda" and part.device.type == "cpu":
        return part.contiguous().pin_memory()
    return part


@contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Keep freed memory for the next step if the C library is glibc; return it to the system at the end.

    glibc returns large blocks to the system at once, and the system provides them again page by page, filled with
    zeros: for the tensors of a wide network that takes a tenth of a training step.
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
