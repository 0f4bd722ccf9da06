"""Training on several processes (torchrun, DistributedDataParallel): the same computation as on one.

Streams are numbered over all processes, and each takes its slice of them. The loss is the mean over all characters of a
batch; each process weighs its part by those of its streams, so slices may differ by one. All draw the dropout masks of
all streams from equal generators, and use those of their own. So neither the losses nor what is saved depend on how
many processes there are, up to the order of sums. The first process validates, decides by the clock, and writes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from charrnn.errors import DeviceError, ProcessError, UsageError
from charrnn.scoring.evaluate import Score
from charrnn.torchrun import is_rank_zero, restart_count, world_size

if TYPE_CHECKING:
    from charrnn.models.rnn.model import RecurrentModel

PEER_ERRORS = ("connection", "socket", "peer", "gloo", "nccl", "timed out")
"""One of them is in PyTorch's message when another process is gone; it has no exception of its own for that."""
TIMEOUT = timedelta(days=1)
"""How long a process waits for the others: while the first one validates, say, or counts. torchrun ends those that wait
for one that has died, and does so at once."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together; by default there is this one alone.

    Every method but `rows` and `share` must be called by all of them, in the same order.

    Attributes:
        rank: which one this is.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> ProcessGroup:
        """Those of PyTorch's default process group, if there is one."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_rank_zero(self) -> bool:
        """Whether this one validates and writes."""
        return self.rank == 0

    @contextmanager
    def rank_zero_first(self) -> Iterator[None]:
        """The first process does something, and reports what is wrong with it; then the others do it."""
        if not self.is_rank_zero:
            self.all_max(0)
        yield
        if self.is_rank_zero:
            self.all_max(0)

    def is_restarted(self) -> bool:
        """Whether torchrun has restarted any of them."""
        return self.all_max(restart_count())[0] > 0  # on another machine it may not have been counted

    def rows(self, streams: int) -> slice:
        """Which of so many streams this one takes.

        Raises:
            UsageError: there are fewer than processes.
        """
        if streams < self.size:
            raise UsageError(f"{streams} streams are too few for {self.size} processes; say a larger --batch-size")
        return self.share(streams)

    def share(self, number: int) -> slice:
        """Which of so many things this one does; none, if there are fewer than processes."""
        return slice(number * self.rank // self.size, number * (self.rank + 1) // self.size)

    def all_max(self, *numbers: int) -> list[int]:
        """Of each number the largest that any of them gave."""
        return [int(number) for number in self._reduced(torch.tensor(numbers, dtype=torch.int64), dist.ReduceOp.MAX)]

    def all_sum(self, number: float) -> float:
        """The sum of what all of them gave."""
        return float(self._reduced(torch.tensor(number, dtype=torch.float64), dist.ReduceOp.SUM))

    def broadcast(self, *numbers: float) -> list[float]:
        """What the first one gave."""
        values = [number if self.is_rank_zero else 0.0 for number in numbers]
        return self._reduced(torch.tensor(values, dtype=torch.float64), dist.ReduceOp.SUM).tolist()

    def broadcast_score(self, score: Score | None) -> Score | None:
        """The first one's score."""
        values = (1.0, score.nats, score.characters, score.impossible) if score else (0.0, 0.0, 0, 0)
        there, nats, characters, impossible = self.broadcast(*values)
        return Score(nats, int(characters), int(impossible)) if there else None

    def broadcast_bytes(self, data: bytes) -> bytes:
        """What the first one gave, of any length."""
        if self.size == 1:
            return data
        (length,) = self.all_max(len(data) if self.is_rank_zero else 0)
        sent = torch.zeros(length, dtype=torch.uint8)
        if self.is_rank_zero and length:
            sent = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        with peer_errors():
            dist.broadcast(sent, 0)
        return sent.numpy().tobytes()

    @contextmanager
    def broadcast_file(self, path: Path | None) -> Iterator[Path | None]:
        """The first one's file, for the others as a copy: their machine may not have it."""
        data = self.broadcast_bytes(path.read_bytes() if path and self.is_rank_zero and self.size > 1 else b"")
        if self.is_rank_zero or not data:
            yield path if self.is_rank_zero else None
            return
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
            copy = Path(folder) / "copy.safetensors"
            copy.write_bytes(data)
            yield copy

    def mean(self, part: Tensor, share: float) -> Tensor:
        """The mean over all characters of a batch, a scalar, from the mean over the share of them that this one has."""
        if self.size == 1:
            return part
        return self._reduced(part.double() * share, dist.ReduceOp.SUM).to(part.dtype)

    def all_gather(self, part: Tensor, rows: slice, number: int) -> Tensor:
        """(B, …), the rows of all, from the (b, …) of this one; `number` is B."""
        if self.size == 1:
            return part
        whole = part.new_zeros(number, *part.shape[1:])
        whole[rows] = part
        return self._reduced(whole, dist.ReduceOp.SUM)

    def data_parallel(self, model: RecurrentModel) -> nn.Module:
        """The model as it is trained: all have the first one's weights, and gradients are the mean of all."""
        if self.size == 1:
            return model
        devices = [model.device] if model.device.type == "cuda" else None
        with peer_errors():
            return DistributedDataParallel(model, devices, gradient_as_bucket_view=True)

    def _reduced(self, tensor: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
        if self.size > 1:
            with peer_errors():
                dist.all_reduce(tensor, how)
        return tensor


@contextmanager
def connect() -> Iterator[ProcessGroup]:
    """Connect the processes of torchrun; without it the group is this process alone.

    After an error the connection stays until the process has ended: when it is closed the others fail, and torchrun
    ends them all, perhaps before the error is printed.
    """
    if world_size() == 1:
        yield ProcessGroup()
        return
    # Numbers that processes agree on are on the CPU; gradients are where the model is.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, rank, size = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        # torchrun's store outlives its processes: those that are restarted would find the addresses of the dead.
        # Several machines may not count alike; there it takes another attempt or two.
        store = PrefixStore(f"attempt {restart_count()}", store)
    try:
        dist.init_process_group(backend, timeout=TIMEOUT, store=store, rank=rank, world_size=size)
    except RuntimeError as error:
        raise ProcessError(f"process {rank} cannot reach the others: {str(error).splitlines()[0]}") from error
    yield ProcessGroup.current()
    dist.destroy_process_group()


@contextmanager
def peer_errors() -> Iterator[None]:
    """Turn PyTorch's errors about another process that is gone into ProcessError."""
    try:
        yield
    except RuntimeError as error:
        if is_peer_error(error):
            raise ProcessError("another process of the group has ended; see what it said") from error
        raise


def is_peer_error(error: BaseException) -> bool:
    """Whether another process has ended before its time, and that is what is wrong here."""
    if not dist.is_initialized():
        return False
    message = str(error).lower()
    is_torch = isinstance(error, RuntimeError) and any(words in message for words in PEER_ERRORS)
    return is_torch or isinstance(error, ProcessError)


def should_report(error: Exception) -> bool:
    """Whether this process prints an error: the first one does, and another one what it alone can know."""
    is_own = dist.is_initialized() and not is_peer_error(error)
    return is_rank_zero() or isinstance(error, DeviceError) or is_own
