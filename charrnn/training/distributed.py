"""Training on several processes (torchrun, DistributedDataParallel): the same computation as on one.

Streams are numbered over all processes, and each takes its slice of them. The loss is the mean over all characters of a
batch; each process weighs its part by those of its streams, so slices may differ by one. All draw the dropout masks of
all streams from equal generators, and use those of their own. So neither the losses nor what is saved depend on how
many processes there are, up to the order of sums. The first process validates, decides by the clock, and writes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from charrnn.errors import ProcessError, UsageError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import Score

LOST = ("connection", "socket", "peer", "gloo", "nccl", "timed out")
"""One of them is in what PyTorch says of a process that is gone; it has no exception of its own for it."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together; by default there is this one alone.

    Every method but `rows` and `share` must be called by all of them, in the same order.

    Attributes:
        rank: which one this is.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Ranks:
        """Those of PyTorch's default process group, if there is one."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_first(self) -> bool:
        """Whether this one validates and writes."""
        return self.rank == 0

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

    def largest(self, *numbers: int) -> list[int]:
        """Of each number the largest that any of them gave."""
        return [int(number) for number in self._reduced(torch.tensor(numbers, dtype=torch.int64), dist.ReduceOp.MAX)]

    def total(self, number: float) -> float:
        """The sum of what all of them gave."""
        return float(self._reduced(torch.tensor(number, dtype=torch.float64), dist.ReduceOp.SUM))

    def from_first(self, *numbers: float) -> list[float]:
        """What the first one gave."""
        given = [number if self.is_first else 0.0 for number in numbers]
        return self._reduced(torch.tensor(given, dtype=torch.float64), dist.ReduceOp.SUM).tolist()

    def score_from_first(self, score: Score | None) -> Score | None:
        """The first one's score."""
        given = (1.0, score.nats, score.characters, score.impossible) if score else (0.0, 0.0, 0, 0)
        there, nats, characters, impossible = self.from_first(*given)
        return Score(nats, int(characters), int(impossible)) if there else None

    def bytes_from_first(self, data: bytes) -> bytes:
        """What the first one gave, of any length."""
        if self.size == 1:
            return data
        (length,) = self.largest(len(data) if self.is_first else 0)
        sent = torch.zeros(length, dtype=torch.uint8)
        if self.is_first and length:
            sent = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        with told():
            dist.broadcast(sent, 0)
        return sent.numpy().tobytes()

    @contextmanager
    def file(self, path: Path | None) -> Iterator[Path | None]:
        """The first one's file, for the others as a copy: their machine may not have it."""
        data = self.bytes_from_first(path.read_bytes() if path and self.is_first and self.size > 1 else b"")
        if self.is_first or not data:
            yield path if self.is_first else None
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

    def gathered(self, part: Tensor, rows: slice, number: int) -> Tensor:
        """(B, …), the rows of all, from the (b, …) of this one; `number` is B."""
        if self.size == 1:
            return part
        whole = part.new_zeros(number, *part.shape[1:])
        whole[rows] = part
        return self._reduced(whole, dist.ReduceOp.SUM)

    def shared(self, model: RecurrentModel) -> nn.Module:
        """The model as it is trained: all have the first one's weights, and gradients are the mean of all."""
        if self.size == 1:
            return model
        devices = [model.device] if model.device.type == "cuda" else None
        with told():
            return DistributedDataParallel(model, devices, gradient_as_bucket_view=True)

    def _reduced(self, tensor: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
        if self.size > 1:
            with told():
                dist.all_reduce(tensor, how)
        return tensor


def is_lost(error: BaseException) -> bool:
    """Whether PyTorch says with it that another process is gone."""
    words = str(error).lower()
    return dist.is_initialized() and isinstance(error, RuntimeError) and any(word in words for word in LOST)


@contextmanager
def told() -> Iterator[None]:
    """Turn what PyTorch says where another process is gone into ProcessError."""
    try:
        yield
    except RuntimeError as error:
        if is_lost(error):
            raise ProcessError("another process of this training has ended; see what it said") from error
        raise
