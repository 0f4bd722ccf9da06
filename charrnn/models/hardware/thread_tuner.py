"""Thread tuning: the fastest number of threads for work that is repeated many times, found by measuring.

The threads of one piece of work wait for each other many times. If another process occupies one of the cores, the
thread on that core is rarely running while the others spin; a single thread can then be ten times as fast. And for
small pieces on a machine with many cores, a few threads are faster than all.

`ThreadTuner` only counts and compares; `piece` measures, and `FreeCores` hints when to try another number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

TRIAL_PIECES = 3
"""The number of pieces of work in a trial of a thread count."""
INITIAL_THREADS = 4
"""The initial number of threads, if there are as many cores."""
DECISIVE = 1.5
"""The factor by which the pieces of a trial must be slower or faster than usual to end the trial at once."""
SLOW_RATIO, STALL_RATIO = 1.5, 4.0
"""The factors above the mean at which two pieces in a row, or a single piece, start a trial at once."""
MAX_TIME_SHARE = 0.97
"""The largest fraction of the previous time at which more threads are worth using."""
FIRST_WAIT, MAX_WAIT = 1.0, 60.0
"""The initial and the maximum number of seconds between trials; doubled after each trial that changed nothing."""
COST_FACTOR = 30.0
"""The time until the next trial is at least this many times the cost of one that changed nothing."""
SMOOTHING_WEIGHT = 0.3
"""The weight of the latest piece in the moving average."""
TOLERATED_LOAD = 0.5
"""The fraction of a core that other processes may use while the core still counts as free."""

STAT = Path("/proc/stat")
"""The file in which Linux reports the time that each core was busy."""
MEASURE_INTERVAL = 0.25
"""The seconds between measurements, because the system counts in hundredths of a second."""
BUSY_COLUMNS = (0, 1, 2, 5, 6)
"""The columns of /proc/stat that count as busy (proc(5)): user, nice, system, irq, softirq. Stolen time is left out,
because using fewer threads does not win it back."""

Usage = Callable[[], tuple[float, float] | None]
"""A function that returns the busy seconds of this process's cores, and the seconds used by this process itself."""


def cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usage() -> tuple[float, float] | None:
    """Return the usage reported by Linux; None if it is not available."""
    try:
        own_cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        tick = os.sysconf("SC_CLK_TCK")
        busy = sum(int(line[1 + column]) for line in lines if line and line[0] in own_cores for column in BUSY_COLUMNS)
    except (AttributeError, OSError, ValueError, IndexError):  # not Linux, or hidden by a container
        return None
    own = os.times()
    return busy / tick, own.user + own.system


class FreeCores:
    """A measurement of how many of this process's cores are not used by other processes."""

    def __init__(self, cores: int, usage: Usage = usage, clock: Callable[[], float] = time.perf_counter) -> None:
        self.cores, self._usage, self._clock = cores, usage, clock
        self._before, self._at = usage(), clock()
        self._free: float | None = None

    def measure(self) -> float | None:
        """Return a number from 0 to `cores`; None if it is not known (yet)."""
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
    """A chooser of the number of threads for the next piece of work, from the time that each piece took.

    Args:
        max_threads: the largest number of threads, at least 1.
        free: hints from the system; None to rely on trials alone.

    Attributes:
        threads: the number of threads for the next piece.
        used: all numbers of threads used so far.
    """

    def __init__(self, max_threads: int, free: FreeCores | None = None) -> None:
        self.max_threads, self.free = max_threads, free
        self._rungs = sorted({min(max_threads, 1 << i) for i in range(max_threads.bit_length() + 1)})
        self.threads = max(rung for rung in self._rungs if rung <= INITIAL_THREADS)
        self.used: set[int] = set()
        self._mean: float | None = None
        self._usual = 0  # the number of threads to return to if a trial fails; 0 outside a trial
        self._tried: list[float] = []
        self._tried_seconds = 0.0
        self._wait, self._rest, self._age, self._slow = FIRST_WAIT, 0.0, 0, 0
        self._tries_more, self._cap = True, max_threads

    def record(self, seconds: float, work: int = 1) -> None:
        """Record the duration of the last piece, and its size (in any unit) if pieces differ."""
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
        """Between trials: update the mean, and check whether to try another number of threads."""
        self._age += 1
        if self._mean is None:
            self._mean = seconds
            return  # the very first piece is a warm-up
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
        """During a trial: decide as soon as there are enough measurements."""
        assert self._mean is not None
        self._tried.append(seconds)
        share = sum(self._tried) / len(self._tried) / self._mean
        if len(self._tried) < TRIAL_PIECES and 1 / DECISIVE < share < DECISIVE:
            return
        is_better = share < MAX_TIME_SHARE if self.threads > self._usual else share <= 1 / MAX_TIME_SHARE
        cost = self._tried_seconds * (1 - 1 / share)
        if is_better:
            self._mean, self._wait, self._rest = share * self._mean, FIRST_WAIT, 0.0
            self._tries_more = self.threads > self._usual  # continue in this direction
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
        """Return the number of threads that can have a core each, as far as known."""
        free = self.free.measure() if self.free else None
        return self.max_threads if free is None else max(1, min(self.max_threads, int(free + TOLERATED_LOAD)))

    @contextmanager
    def piece(self, work: int = 1) -> Iterator[None]:
        """Run one piece of PyTorch work with the chosen number of threads and time it; `work` as for `record`."""
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
    """Return a tuner for CPU work with up to `max_threads` threads (default: PyTorch's), at most one per core."""
    available = cores()
    max_threads = min(max_threads or torch.get_num_threads(), available)
    return ThreadTuner(max_threads, FreeCores(available) if max_threads > 1 else None)


def fixed_threads(threads: int) -> ThreadTuner:
    """Return a tuner that never changes the number of threads."""
    tuner = ThreadTuner(1)
    tuner.threads = threads
    return tuner
