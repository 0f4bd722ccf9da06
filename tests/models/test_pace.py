"""How many threads are taken, on machines made of a few numbers."""

from charrnn.models.kernels.pace import FIRST_WAIT, Pace


def run(pace: Pace, seconds: dict[int, float], pieces: int) -> int:
    """How many of some pieces all threads took."""
    found = 0
    for _ in range(pieces):
        found += pace.threads == pace.most
        pace.took(seconds[pace.threads])
    return found


def test_all_of_them_on_a_quiet_machine() -> None:
    assert run(Pace(2), {1: 2.0, 2: 1.0}, 1000) > 900
    assert run(Pace(1), {1: 1.0}, 50) == 50


def test_one_on_a_busy_machine_and_fewer_and_fewer_trials() -> None:
    pace = Pace(2)
    assert run(pace, {1: 2.0, 2: 50.0}, 1000) < 20
    assert run(pace, {1: 2.0, 2: 50.0}, 1000) < 10
    assert run(pace, {1: 2.0, 2: 1.0}, 10_000) > 4000, "when it is quiet again"


def test_a_stall_is_looked_into_at_once() -> None:
    pace = Pace(2)
    run(pace, {1: 2.0, 2: 1.0}, FIRST_WAIT - 20)
    assert pace.threads == 2
    pace.took(100.0)
    assert pace.threads == 1
