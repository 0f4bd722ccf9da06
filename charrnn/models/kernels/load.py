"""How many of the processor's cores other processes leave free, where the system says so (Linux: /proc/stat)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

STAT = Path("/proc/stat")
INTERVAL = 0.25
"""Seconds between looks: the system counts in hundredths of a second."""
BUSY_COLUMNS = (0, 1, 2, 5, 6)
"""Columns of /proc/stat that count as busy (proc(5)): user, nice, system, irq, softirq. Stolen time does not count:
using fewer threads does not bring it back."""

Usage = Callable[[], tuple[float, float] | None]
"""Gives the seconds that the cores of this process were busy, and those of them that this process used."""


def cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usage() -> tuple[float, float] | None:
    """See Usage; None where the system does not say."""
    try:
        own_cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        tick = os.sysconf("SC_CLK_TCK")
        busy = sum(int(line[1 + column]) for line in lines if line and line[0] in own_cores for column in BUSY_COLUMNS)
    except (AttributeError, OSError, ValueError, IndexError):  # not Linux, or hidden from a container
        return None
    own = os.times()
    return busy / tick, own.user + own.system


class FreeCores:
    """The cores that other processes have left free lately.

    Args:
        cores: that this process may use.
        usage: see there.
        clock: seconds.
    """

    def __init__(self, cores: int, usage: Usage = usage, clock: Callable[[], float] = time.perf_counter) -> None:
        self.cores, self._usage, self._clock = cores, usage, clock
        self._before, self._at = usage(), clock()
        self._free: float | None = None

    def measure(self) -> float | None:
        """A number from 0 to `cores`; None where it is not known (yet)."""
        now = self._clock()
        if self._before is None or now - self._at < INTERVAL:
            return self._free
        after = self._usage()
        if after is not None:
            others = (after[0] - self._before[0] - (after[1] - self._before[1])) / (now - self._at)
            self._free = min(float(self.cores), max(0.0, self.cores - others))
        self._before, self._at = after, now
        return self._free
