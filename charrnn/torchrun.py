"""What torchrun says of the processes that it started; without it there is one. Needs no torch, unlike ProcessGroup."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_rank_zero() -> bool:
    """Whether this is the process that prints, and writes files."""
    return world_size() == 1 or os.environ.get("RANK") == "0"


def restart_count() -> int:
    """How often torchrun has restarted the processes of this machine, because one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def exit_process(status: int) -> NoReturn:
    """End this process.

    One of several ends without what the interpreter does at its end: a thread of gloo that still frees a tensor then
    aborts it ("terminate called without an active exception"; one run in ten or twenty), and torchrun would restart a
    training that is over.
    """
    if world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
