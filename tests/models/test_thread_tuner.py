"""The chosen number of threads, on simulated machines."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from charrnn.models.hardware.thread_tuner import (
    FIRST_WAIT,
    MEASURE_INTERVAL,
    FreeCores,
    ThreadTuner,
    fixed_threads,
    make_thread_tuner,
    usage,
)

QUIET, BUSY = {1: 2.0, 2: 1.0}, {1: 2.0, 2: 50.0}
"""The milliseconds per piece of work, by the number of threads."""


class Machine:
    """A clock that advances with each piece; other processes use as many cores as set."""

    def __init__(self, cores: int = 2) -> None:
        self.now, self.busy, self.others, self.cores = 0.0, 0.0, 0.0, cores

    def clock(self) -> float:
        return self.now

    def usage(self) -> tuple[float, float]:
        return self.busy, 0.0

    def free_cores(self) -> FreeCores:
        return FreeCores(self.cores, self.usage, self.clock)

    def run(self, tuner: ThreadTuner, milliseconds: dict[int, float], seconds: float) -> list[int]:
        """Work for some seconds; return the numbers of threads used."""
        end, used = self.now + seconds, []
        while self.now < end:
            took = milliseconds[tuner.threads] / 1000
            used.append(tuner.threads)
            self.now += took
            self.busy += took * self.others
            tuner.record(took)
        return used


def share_of(threads: int, used: list[int]) -> float:
    return used.count(threads) / len(used)


@pytest.mark.parametrize("hints", [True, False])
def test_tuner_on_a_quiet_machine_uses_all_threads(hints: bool) -> None:
    machine = Machine()
    tuner = ThreadTuner(2, machine.free_cores() if hints else None)
    assert share_of(2, machine.run(tuner, QUIET, 20)) > 0.98
    assert tuner.used == {1, 2}, "it was tried"


def test_tuner_with_one_core_uses_one_thread() -> None:
    assert set(Machine().run(ThreadTuner(1), {1: 1.0}, 1)) == {1}


def test_tuner_follows_the_load_within_seconds() -> None:
    machine = Machine()
    tuner = ThreadTuner(2, machine.free_cores())
    machine.run(tuner, QUIET, 5)
    machine.others = 1.0
    assert machine.run(tuner, BUSY, 0.5)[-1] == 1
    assert set(machine.run(tuner, BUSY, 100)) == {1}, "hopeless numbers are not tried while no core is free"
    machine.others = 0.0
    machine.run(tuner, QUIET, 2)
    assert share_of(2, machine.run(tuner, QUIET, 3)) > 0.9


def test_tuner_with_a_wrong_hint_keeps_all_threads() -> None:
    """If all threads are fastest although others use most of one core, fewer are tried now and then, but not kept."""
    machine = Machine()
    tuner = ThreadTuner(2, machine.free_cores())
    machine.others = 0.8
    machine.run(tuner, QUIET, 10)
    assert share_of(2, machine.run(tuner, QUIET, 60)) > 0.98


def test_tuner_without_hints_tries_rarely() -> None:
    machine = Machine()
    tuner = ThreadTuner(2)
    machine.run(tuner, QUIET, 5)
    machine.run(tuner, BUSY, 5)
    used = machine.run(tuner, BUSY, 100)
    cost = sum(BUSY[threads] - BUSY[1] for threads in used if threads == 2) / 1000
    assert cost < 5
    assert machine.run(tuner, QUIET, 120)[-1] == 2, "when it is quiet again"


def test_tuner_finds_the_fastest_number_of_many_threads() -> None:
    """Small pieces on a machine with 64 cores, and large ones, which are fastest with all cores."""
    for times, best in (
        ({1: 8.0, 2: 5.0, 4: 4.0, 8: 3.0, 16: 4.5, 32: 6.0, 64: 9.0}, 8),
        ({1: 64.0, 2: 33.0, 4: 17.0, 8: 9.0, 16: 5.0, 32: 3.0, 64: 2.0}, 64),
    ):
        machine = Machine(64)
        tuner = ThreadTuner(64, machine.free_cores())
        machine.run(tuner, times, 30)
        assert share_of(best, machine.run(tuner, times, 30)) > 0.9


def test_tuner_after_a_stall_tries_fewer_threads_at_once() -> None:
    machine = Machine()
    tuner = ThreadTuner(2)
    machine.run(tuner, QUIET, FIRST_WAIT / 4)
    assert tuner.threads == 2
    tuner.record(0.1)
    assert tuner.threads == 1


def test_tuner_compares_pieces_by_their_work() -> None:
    alike, different = ThreadTuner(2), ThreadTuner(2)
    for work in (1, 1, 1, 10, 100, 1, 1, 5, 1):
        alike.record(0.001)
        different.record(0.001 * work, work)
        assert different.threads == alike.threads


def test_piece_restores_the_number_of_threads() -> None:
    with fixed_threads(3).piece():
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 1, "as the tests have it"
    with pytest.raises(ZeroDivisionError), fixed_threads(3).piece():
        _ = 1 / 0
    assert torch.get_num_threads() == 1
    assert make_thread_tuner().threads == 1


def test_free_cores_are_those_others_leave() -> None:
    machine = Machine(4)
    free = machine.free_cores()
    assert free.measure() is None, "too early"
    machine.now, machine.busy = 2 * MEASURE_INTERVAL, 3 * MEASURE_INTERVAL
    assert free.measure() == 2.5
    machine.now += MEASURE_INTERVAL / 2
    assert free.measure() == 2.5, "not yet looked again"
    machine.now += MEASURE_INTERVAL
    assert free.measure() == 4.0


def test_free_cores_on_an_unknown_system_are_none() -> None:
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    free = FreeCores(4, nothing, iter([0.0, 1.0, 2.0]).__next__)
    assert free.measure() is None


def test_usage_on_a_system_that_hides_it_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.models.hardware.thread_tuner.STAT", tmp_path / "stat")
    assert usage() is None
    (tmp_path / "stat").write_text("".join(f"cpu{number} nonsense\n" for number in range(1024)), encoding="ascii")
    assert usage() is None
