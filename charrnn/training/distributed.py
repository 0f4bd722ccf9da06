"""Data-parallel training with several processes (torchrun, DistributedDataParallel): the same computation as with one.

Streams are numbered across all processes, and each process takes a slice. The loss is the mean over all characters of a
batch; each process weights its part by the characters of its streams, so slices may differ by one. All processes draw
the dropout masks of all streams from equal generators and use their own rows. Losses and checkpoints therefore do not
depend on the number of processes, except for the order of sums. Rank 0 validates, keeps the time, and writes files.
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
"""Words in PyTorch's error messages about a lost process; PyTorch has no exception class for this case."""
TIMEOUT = timedelta(days=1)
"""Maximum wait for other processes, for instance while rank 0 validates or counts. If a process dies, torchrun
immediately ends those that wait for it."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together; by default, only this process.

    All processes must call every method except `rows` and `share`, in the same order.

    Attributes:
        rank: rank of this process.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> ProcessGroup:
        """Return PyTorch's default process group, or this process alone if there is none."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process validates and writes files."""
        return self.rank == 0

    @contextmanager
    def rank_zero_first(self) -> Iterator[None]:
        """Run the body on rank 0 first, so that it reports errors; then on the others."""
        if not self.is_rank_zero:
            self.all_max(0)
        yield
        if self.is_rank_zero:
            self.all_max(0)

    def is_restarted(self) -> bool:
        """Return whether torchrun has restarted any of the processes."""
        return self.all_max(restart_count())[0] > 0  # another machine may not have counted the restart

    def rows(self, streams: int) -> slice:
        """Return the slice of the streams that this process takes.

        Raises:
            UsageError: there are fewer streams than processes.
        """
        if streams < self.size:
            raise UsageError(
                f"batch size {streams} is too small for {self.size} processes; try --batch-size {self.size} or larger"
            )
        return self.share(streams)

    def share(self, number: int) -> slice:
        """Return this process's slice of `number` items; it may be empty."""
        return slice(number * self.rank // self.size, number * (self.rank + 1) // self.size)

    def all_max(self, *numbers: int) -> list[int]:
        """Return the maximum of each number over all processes."""
        return [int(number) for number in self._reduced(torch.tensor(numbers, dtype=torch.int64), dist.ReduceOp.MAX)]

    def all_sum(self, number: float) -> float:
        """Return the sum of a number over all processes."""
        return float(self._reduced(torch.tensor(number, dtype=torch.float64), dist.ReduceOp.SUM))

    def broadcast(self, *numbers: float) -> list[float]:
        """Return the numbers of rank 0."""
        values = [number if self.is_rank_zero else 0.0 for number in numbers]
        return self._reduced(torch.tensor(values, dtype=torch.float64), dist.ReduceOp.SUM).tolist()

    def broadcast_score(self, score: Score | None) -> Score | None:
        """Return the score of rank 0."""
        values = (1.0, score.nats, score.characters, score.impossible) if score else (0.0, 0.0, 0, 0)
        has_score, nats, characters, impossible = self.broadcast(*values)
        return Score(nats, int(characters), int(impossible)) if has_score else None

    def broadcast_bytes(self, data: bytes) -> bytes:
        """Return the bytes of rank 0, of any length."""
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
        """Yield the path of rank 0's file; other processes, whose machine may not have the file, get a copy."""
        data = self.broadcast_bytes(path.read_bytes() if path and self.is_rank_zero and self.size > 1 else b"")
        if self.is_rank_zero or not data:
            yield path if self.is_rank_zero else None
            return
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
            copy = Path(folder) / "copy.safetensors"
            copy.write_bytes(data)
            yield copy

    def mean(self, part: Tensor, share: float) -> Tensor:
        """Return the mean over all characters of a batch.

        Args:
            part: a scalar, the mean over the characters of this process.
            share: this process's fraction of the characters.
        """
        if self.size == 1:
            return part
        return self._reduced(part.double() * share, dist.ReduceOp.SUM).to(part.dtype)

    def all_gather(self, part: Tensor, rows: slice, number: int) -> Tensor:
        """Gather the rows of all processes.

        Args:
            part: (b, …) the rows of this process.
            rows: their positions among all rows.
            number: total number of rows, B.

        Returns:
            (B, …) all rows.
        """
        if self.size == 1:
            return part
        whole = part.new_zeros(number, *part.shape[1:])
        whole[rows] = part
        return self._reduced(whole, dist.ReduceOp.SUM)

    def data_parallel(self, model: RecurrentModel) -> nn.Module:
        """Wrap a model for training: all processes get the weights of rank 0, and gradients are averaged."""
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
    """Connect the processes of torchrun; without torchrun the group is this process alone.

    After an error the connection stays open until the process ends: closing it makes the other processes fail, and
    torchrun might then end all of them before the error is printed.
    """
    if world_size() == 1:
        yield ProcessGroup()
        return
    # The numbers that processes exchange are on the CPU; gradients are on the device of the model.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, rank, size = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        # torchrun's store outlives its processes, so restarted ones would find the addresses of the old ones. With
        # several machines the restart counts may differ, and connecting takes another attempt or two.
        store = PrefixStore(f"attempt {restart_count()}", store)
    try:
        dist.init_process_group(backend, timeout=TIMEOUT, store=store, rank=rank, world_size=size)
    except RuntimeError as error:
        raise ProcessError(f"rank {rank}: cannot reach the other processes: {str(error).splitlines()[0]}") from error
    yield ProcessGroup.current()
    dist.destroy_process_group()


@contextmanager
def peer_errors() -> Iterator[None]:
    """Turn PyTorch's errors about a lost process into ProcessError."""
    try:
        yield
    except RuntimeError as error:
        if is_peer_error(error):
            raise ProcessError("another process has exited; see its log") from error
        raise


def is_peer_error(error: BaseException) -> bool:
    """Return whether an error was caused by the unexpected end of another process."""
    if not dist.is_initialized():
        return False
    message = str(error).lower()
    is_torch = isinstance(error, RuntimeError) and any(words in message for words in PEER_ERRORS)
    return is_torch or isinstance(error, ProcessError)


def should_report(error: Exception) -> bool:
    """Return whether this process prints an error: rank 0 always does, others only errors of their own."""
    is_own = dist.is_initialized() and not is_peer_error(error)
    return is_rank_zero() or isinstance(error, DeviceError) or is_own
