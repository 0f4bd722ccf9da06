"""What torchrun says of the processes that it started; without it there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def number() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that speaks, and writes files."""
    return number() == 1 or os.environ.get("RANK") == "0"


@contextmanager
def group() -> Iterator[None]:
    """Let the processes talk to each other.

    After a mistake the connection stays until the process has ended: when it is closed the others fail, and torchrun
    ends them all, perhaps before the mistake is told.
    """
    if number() == 1:
        yield
        return
    import torch.distributed as dist

    dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()


def wait_for_all() -> None:
    """Go on when every process is here."""
    if number() > 1:
        import torch.distributed as dist

        dist.barrier()
