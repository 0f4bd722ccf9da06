"""The environment variables of torchrun, and leaving one of its processes. Needs no torch, unlike ProcessGroup."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def world_size() -> int:
    """Return the number of processes; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_rank_zero() -> bool:
    """Whether this is rank 0, the process that prints and writes files."""
    return world_size() == 1 or os.environ.get("RANK") == "0"


def restart_count() -> int:
    """Return how often torchrun has restarted the processes of this machine because one of them died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def exit_process(status: int) -> NoReturn:
    """Exit this process with a status.

    A process of torchrun skips the interpreter's cleanup: a gloo thread that still frees a tensor would abort it
    ("terminate called without an active exception", in 5 to 10% of runs), and torchrun would restart a finished run.
    """
    if world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
