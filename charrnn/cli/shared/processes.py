"""What torchrun says of the processes that it started; without it there is one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from charrnn.errors import DeviceError, ProcessError

PATIENCE = timedelta(days=1)
"""How long a process waits for the others: while the first one validates, say, or counts. torchrun ends those that wait
for one that has died, and does so at once."""


def number() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that speaks, and writes files."""
    return number() == 1 or os.environ.get("RANK") == "0"


def _attempt() -> int:
    """How often torchrun has started the processes of this machine again, since one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def are_restarted() -> bool:
    """Whether any process was started again; all must ask."""
    if number() == 1:
        return False
    import torch
    import torch.distributed as dist

    attempt = torch.tensor(_attempt())
    dist.all_reduce(attempt, dist.ReduceOp.MAX)  # on another machine it may not have been counted
    return bool(attempt > 0)


@contextmanager
def group() -> Iterator[None]:
    """Let the processes talk to each other.

    After a mistake the connection stays until the process has ended: when it is closed the others fail, and torchrun
    ends them all, perhaps before the mistake is told.
    """
    if number() == 1:
        yield
        return
    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    # Numbers that processes agree on are on the CPU; gradients are where the model is.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, rank, size = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        # torchrun's store outlives its processes: those that are started again would find the addresses of the dead.
        # Several machines may not count alike; there it takes another attempt or two.
        store = PrefixStore(f"attempt {_attempt()}", store)
    try:
        dist.init_process_group(backend, timeout=PATIENCE, store=store, rank=rank, world_size=size)
    except RuntimeError as error:
        raise ProcessError(f"process {rank} cannot reach the others: {str(error).splitlines()[0]}") from error
    yield
    dist.destroy_process_group()


def wait_for_all() -> None:
    """Go on when every process is here."""
    if number() > 1:
        import torch
        import torch.distributed as dist

        dist.all_reduce(torch.zeros(1))  # not `barrier`, which would wait for GPUs


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process does something, and tells what is wrong with it; then the others do it."""
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()


def leave(status: int) -> NoReturn:
    """End this process.

    One of several ends without what the interpreter does at its end: a thread of gloo that still frees a tensor then
    aborts it ("terminate called without an active exception"; one run in ten or twenty), and torchrun would start again
    a training that is over.
    """
    if number() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def is_lost(error: Exception) -> bool:
    """Whether another process has ended before its time, and that is what is wrong here."""
    if number() == 1:
        return False
    from charrnn.training import distributed

    return isinstance(error, ProcessError) or distributed.is_lost(error)


def is_told(error: Exception) -> bool:
    """Whether to tell what is wrong: the first process does, and others what they alone can know."""
    if is_first() or isinstance(error, DeviceError):
        return True
    import torch.distributed as dist

    return dist.is_initialized() and not is_lost(error)
