"""The number of threads for a piece of work that comes again and again: the one that measurements show to be fastest.

Threads wait for each other many times in each piece. When another process occupies one of the cores, the thread on it
is not running most of the time, and the others spin until it does; one thread alone can then be ten times as fast.
And for small pieces on a machine with many cores, a few threads are faster than all.

`ThreadTuner` only counts and compares; the measuring is in `piece`, and `FreeCores` gives hints when to try another
number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

TRIAL_PIECES = 3
"""Pieces that a number of threads is tried for."""
INITIAL_THREADS = 4
"""Threads to begin with, if there are as many."""
DECISIVE = 1.5
"""How many times as slow, or as fast, the pieces of a trial must be to end it at once."""
SLOW_RATIO, STALL_RATIO = 1.5, 4.0
"""How many times the mean two pieces in a row, or one piece, must take for a trial at once."""
MAX_TIME_SHARE = 0.97
"""Share of the time that more threads may need at most; else fewer are enough."""
FIRST_WAIT, MAX_WAIT = 1.0, 60.0
"""Seconds between trials; twice as long after each that changed nothing."""
COST_FACTOR = 30.0
"""A trial that changed nothing may have cost a thirtieth of the time until the next."""
SMOOTHING_WEIGHT = 0.3
"""Weight of the last piece in the mean."""
TOLERATED_LOAD = 0.5
"""Share of a core that may be used by others and still counts as free."""

STAT = Path("/proc/stat")
MEASURE_INTERVAL = 0.25
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
    """The usage of Linux; None where the system does not say."""
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
    """The cores that other processes have left free lately, of those that this process may use."""

    def __init__(self, cores: int, usage: Usage = usage, clock: Callable[[], float] = time.perf_counter) -> None:
        self.cores, self._usage, self._clock = cores, usage, clock
        self._before, self._at = usage(), clock()
        self._free: float | None = None

    def measure(self) -> float | None:
        """A number from 0 to `cores`; None where it is not known (yet)."""
        now = self._clock()
        if self._before is None or now - self._at < MEASURE_INTERVAL:
            return self._free
        after = self._usage()
        if after is not None:
            others = (after[0] - self._before[0] - (after[1] - self._before[1])) / (now - self._at)
            self._free = min(float(self.cores), max(0.0, self.cores - others))
        self._before, self._at = after, now
        return self._free


class ThreadTuner:
    """Told how long each piece took, it says how many threads to use for the next.

    Args:
        max_threads: 1 or more.
        free: hints from the system; None: trials alone.

    Attributes:
        threads: for the next piece.
        used: all numbers of threads that were used.
    """

    def __init__(self, max_threads: int, free: FreeCores | None = None) -> None:
        self.max_threads, self.free = max_threads, free
        self._rungs = sorted({min(max_threads, 1 << i) for i in range(max_threads.bit_length() + 1)})
        self.threads = max(rung for rung in self._rungs if rung <= INITIAL_THREADS)
        self.used: set[int] = set()
        self._mean: float | None = None
        self._usual = 0  # threads to return to if a trial is lost; 0: no trial
        self._tried: list[float] = []
        self._tried_seconds = 0.0
        self._wait, self._rest, self._age, self._slow = FIRST_WAIT, 0.0, 0, 0
        self._tries_more, self._cap = True, max_threads

    def record(self, seconds: float, work: int = 1) -> None:
        """Take down how long the last piece took, and how large it was, in any unit, where pieces differ."""
        self.used.add(self.threads)
        if self.max_threads == 1:
            return
        self._rest -= seconds
        if self._usual:
            self._tried_seconds += seconds
            self._judge(seconds / work)
        else:
            self._watch(seconds / work)

    def _watch(self, seconds: float) -> None:
        """Between trials: keep the mean, and see whether it is time to try another number."""
        self._age += 1
        if self._mean is None:
            self._mean = seconds
            return  # the first piece of all warms up
        self._slow = self._slow + 1 if seconds > SLOW_RATIO * self._mean else 0
        is_slow = self._slow > 1 or seconds > STALL_RATIO * self._mean
        self._mean = seconds if self._age == 2 else self._mean + SMOOTHING_WEIGHT * (seconds - self._mean)
        cap = self._capacity()
        is_freer, is_fuller, self._cap = cap > self._cap, cap < self._cap, cap
        if is_freer or is_fuller:
            self._wait = FIRST_WAIT
        more, fewer = self._next(1), self._next(-1)
        if more and more > cap:
            more = None
        if fewer and self.threads > cap:
            fewer = max((rung for rung in self._rungs if rung <= cap), default=fewer)
        is_time = self._rest <= 0 and self._age > TRIAL_PIECES
        if fewer and (is_slow or (self.threads > cap and (is_fuller or is_time))):
            self._try(fewer)
        elif more and is_freer:
            self._try(more)
        elif is_time and (more or fewer):
            first, second = (more, fewer) if self._tries_more else (fewer, more)
            self._tries_more = not self._tries_more
            self._try(first or second or self.threads)

    def _judge(self, seconds: float) -> None:
        """In a trial: decide, when enough was seen."""
        assert self._mean is not None
        self._tried.append(seconds)
        share = sum(self._tried) / len(self._tried) / self._mean
        if len(self._tried) < TRIAL_PIECES and 1 / DECISIVE < share < DECISIVE:
            return
        is_better = share < MAX_TIME_SHARE if self.threads > self._usual else share <= 1 / MAX_TIME_SHARE
        cost = self._tried_seconds * (1 - 1 / share)
        if is_better:
            self._mean, self._wait, self._rest = share * self._mean, FIRST_WAIT, 0.0
            self._tries_more = self.threads > self._usual  # go on in this direction
        else:
            self.threads = self._usual
            self._wait = min(2 * self._wait, MAX_WAIT)
            self._rest = max(self._wait, COST_FACTOR * cost)
        self._usual, self._tried, self._tried_seconds, self._age = 0, [], 0.0, 1

    def _try(self, threads: int) -> None:
        self._usual, self.threads, self._slow = self.threads, threads, 0

    def _next(self, step: int) -> int | None:
        place = self._rungs.index(self.threads) + step
        return self._rungs[place] if 0 <= place < len(self._rungs) else None

    def _capacity(self) -> int:
        """Threads that find a core of their own, as far as that is known."""
        free = self.free.measure() if self.free else None
        return self.max_threads if free is None else max(1, min(self.max_threads, int(free + TOLERATED_LOAD)))

    @contextmanager
    def piece(self, work: int = 1) -> Iterator[None]:
        """Do a piece of work of PyTorch's with so many threads, and time it; for `work` see `record`."""
        before = torch.get_num_threads()
        threads = self.threads
        if threads != before:
            torch.set_num_threads(threads)
        started = time.perf_counter()
        try:
            yield
        finally:
            if threads != before:
                torch.set_num_threads(before)
        self.record(time.perf_counter() - started, work)


def make_thread_tuner(max_threads: int | None = None) -> ThreadTuner:
    """A tuner for work on the CPU, with up to so many threads (default: PyTorch's number), but no more than cores."""
    available = cores()
    max_threads = min(max_threads or torch.get_num_threads(), available)
    return ThreadTuner(max_threads, FreeCores(available) if max_threads > 1 else None)


def fixed_threads(threads: int) -> ThreadTuner:
    """A tuner that never changes the number of threads."""
    tuner = ThreadTuner(1)
    tuner.threads = threads
    return tuner
