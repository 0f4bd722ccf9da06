"""One step of training: read a batch, change the weights; on a GPU recorded once as a CUDA graph and then replayed.

A step is hundreds of kernels of a few microseconds each, which take Python longer to ask for than the GPU to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.errors import CaptureError
from charrnn.models.kernels.gpu_features import capture_error_message, has_cuda_graphs, is_allowed
from charrnn.models.language_model import State
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import Score
from charrnn.text.batches import IGNORE_INDEX
from charrnn.training.optim.optimizer import Updates
from charrnn.training.optim.schedule import Plan

Batch = tuple[Tensor, Tensor]
TakeStep = Callable[[Batch, State | None, float, float], tuple[Tensor, State]]
"""Takes inputs and targets, (B, T) int64 each, on any device, where targets may be IGNORED; the state before them; the
learning rate; and the weight of the loss in its gradients, which is not 1 where several processes train. Returns the
loss before the change, a scalar, the mean over the targets; and the state after the batch, without a graph."""

WARMUP_STEPS = 2
"""Before a step is recorded it is taken as it is: what is made at first use (moments, workspaces, compiled kernels)
must be there."""


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


def make_step(
    model: RecurrentModel,
    updates: Updates,
    dtype: torch.dtype,
    shared: nn.Module | None = None,
    is_alone: bool = True,
) -> TakeStep:
    """How to take the steps of a training, on the model's device.

    Args:
        model: in training mode whenever a step is taken.
        updates: of its weights.
        dtype: of matrix products.
        shared: the same model, where several processes train it (`data_parallel`). Its steps are not recorded.
        is_alone: False for steps that are timed for several processes: they are not recorded either.
    """
    can_record = has_cuda_graphs(model.device) and shared in (None, model) and is_alone
    if can_record and is_allowed("graphs", model.device):
        return CudaGraphStep(model, updates, dtype)
    return lambda batch, state, rate, weight: take_step(model, updates, batch, state, rate, dtype, shared, weight)


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
    model: RecurrentModel,
    updates: Updates,
    batch: Batch,
    state: State | None,
    rate: float | Tensor,
    dtype: torch.dtype,
    shared: nn.Module | None = None,
    weight: float = 1.0,
) -> tuple[Tensor, State]:
    """One step. See `TakeStep` and `make_step`; the learning rate is a scalar on the device during a capture."""
    if model.device.type == "cuda":  # the same arithmetic as in a recorded step
        rate = torch.full((), rate, device=model.device) if not isinstance(rate, Tensor) else rate
    inputs, targets = (_pinned(part, model.device).to(model.device, non_blocking=True) for part in batch)
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        logits, state = (shared or model)(inputs, state)
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX)
    updates.step(loss * weight if weight != 1 else loss, rate)
    return loss.detach(), tuple(part.detach() for part in state)


class CudaGraphStep:
    """Steps on a CUDA device: a few as they are, then one that is recorded, then that again, with other numbers in it.

    A batch of another shape than the recorded one is taken as it is. Where graphs may be used at all is decided by
    `kernels/gpu_features.py`.

    Attributes:
        graph: what was recorded; None before.
    """

    def __init__(self, model: RecurrentModel, updates: Updates, dtype: torch.dtype) -> None:
        self.model, self.updates, self.dtype = model, updates, dtype
        self.taken = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(model.device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch, state: State | None, rate: float, weight: float = 1.0) -> tuple[Tensor, State]:
        """See `TakeStep`. The state that is returned is changed by the next step.

        Raises:
            RecordingError: CUDA cannot record the step; the process must end.
        """
        assert weight == 1  # several processes record none
        with torch.cuda.device(self.model.device):  # streams and graphs are the current device's
            self.taken += 1
            if self.taken == WARMUP_STEPS + 1:
                self._record(batch)
            if self.graph is None or batch[0].shape != self.batch[0].shape:
                return self._take(batch, state, rate)
            before = self.model.empty_state(len(batch[0])) if state is None else state
            for buffer, value in zip((*self.batch, *self.state), (*batch, *before), strict=True):
                if buffer is not value:
                    buffer.copy_(_pinned(value, buffer.device), non_blocking=True)
            self.rate.fill_(rate)
            self.graph.replay()
            return self.loss.clone(), self.state

    def _take(self, batch: Batch, state: State | None, rate: float) -> tuple[Tensor, State]:
        """As it is, on another stream than the default: a later recording must not depend on that one."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            taken = take_step(self.model, self.updates, batch, state, rate, self.dtype)
        torch.cuda.current_stream().wait_stream(self.stream)
        return taken

    def _record(self, batch: Batch) -> None:
        """Nothing is computed here: the kernels are written down."""
        device = self.model.device
        self.batch = tuple(part.to(device, copy=True).contiguous() for part in batch)  # replays write into it
        self.state = self.model.empty_state(len(batch[0]))
        self.rate = torch.zeros((), device=device)
        self.updates.set_capturable(True)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.loss, after = take_step(
                    self.model, self.updates, (self.batch[0], self.batch[1]), self.state, self.rate, self.dtype
                )
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
