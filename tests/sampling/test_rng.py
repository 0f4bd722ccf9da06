"""Random numbers by seed and position."""

import numpy as np

from charrnn.sampling.rng import BLOCK_SIZE, CounterRNG


def test_next_depends_on_seed_and_position_alone() -> None:
    count = 2 * BLOCK_SIZE + 10
    one = [CounterRNG([5]).peek(count)[0].tolist()]
    together = CounterRNG([4, 5, 6])
    one.append([float(together.next_all()[1]) for _ in range(count)])
    one.append([CounterRNG([5], [place]).next(0) for place in range(count)])
    assert one[0] == one[1] == one[2]
    assert together.positions == [count] * 3


def test_next_advances_each_row_by_itself() -> None:
    both = CounterRNG([1, 2])
    first = [both.next(0) for _ in range(3)]
    assert both.positions == [3, 0]
    assert both.peek(4)[1].tolist() == CounterRNG([2]).peek(4)[0].tolist()
    assert CounterRNG([1]).peek(3)[0].tolist() == first


def test_numbers_are_uniform_and_seeds_independent() -> None:
    numbers = CounterRNG(range(200)).peek(500)
    assert np.unique(numbers).size == numbers.size
    assert 0 <= numbers.min() < numbers.max() < 1
    counts = np.bincount((numbers * 100).astype(int).ravel())
    expected = numbers.size / 100
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert abs(statistic - 99) / (2 * 99) ** 0.5 < 4
    assert abs(np.corrcoef(numbers[0], numbers[1])[0, 1]) < 0.2
