"""Each filter alone."""

import numpy as np
import pytest

from charrnn.sampling.filters import (
    at_temperature,
    keep_min_p,
    keep_only,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    probabilities,
)

P = np.array([[0.5, 0.3, 0.15, 0.05]])
SHUFFLED = P[:, [2, 0, 3, 1]]
"""A distribution whose characters, from most to least likely, are 1, 3, 0, 2."""


def kept(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[int]:
    return np.flatnonzero(np.isfinite(scores[0])).tolist()


def test_keep_only_removes_all_others() -> None:
    rows = np.log(np.repeat(P, 2, 0))
    assert kept(keep_only(rows, np.array([True, False, True, False]))) == [0, 2]
    each = keep_only(rows, np.array([[True] * 4, [False] * 3 + [True]]))
    assert np.isfinite(each).sum(-1).tolist() == [4, 1]


def test_penalize_repetition_is_independent_of_a_constant_in_the_logits() -> None:
    """Dividing the logits themselves, as CTRL does, would depend on the constant."""
    for constant in (0.0, -100.0, 7.0):
        actual = probabilities(penalize_repetition(np.log(P) + constant, [[0, 0, 3]], 2.0))
        expected = P / [[2, 1, 1, 2]]
        np.testing.assert_allclose(actual, expected / expected.sum())


def test_at_temperature_raises_probabilities_to_a_power() -> None:
    expected = P**2 / (P**2).sum()
    np.testing.assert_allclose(probabilities(at_temperature(np.log(P) + 3, 0.5)), expected)


def test_keep_top_k_with_ties_keeps_k() -> None:
    assert kept(keep_top_k(np.zeros((1, 5)), 2)) == [0, 1]
    assert kept(keep_top_k(SHUFFLED, 2)) == [1, 3]
    assert np.array_equal(keep_top_k(P, 9), P)


@pytest.mark.parametrize(("p", "count"), [(0.4, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.9, 3), (1.0, 4), (1e-9, 1)])
def test_keep_top_p_keeps_the_fewest_that_reach_p(p: float, count: int) -> None:
    scores = np.log(SHUFFLED)
    filtered = keep_top_p(scores, p)
    assert kept(filtered) == sorted([1, 3, 0, 2][:count])
    assert np.array_equal(filtered[np.isfinite(filtered)], scores[np.isfinite(filtered)])


@pytest.mark.parametrize(("share", "count"), [(1.0, 1), (0.61, 1), (0.59, 2), (0.31, 2), (0.29, 3), (0.09, 4)])
def test_keep_min_p_keeps_a_share_of_the_likeliest(share: float, count: int) -> None:
    assert kept(keep_min_p(np.log(SHUFFLED), share)) == sorted([1, 3, 0, 2][:count])


def test_filters_do_not_change_their_input() -> None:
    before = np.log(P)
    scores = before.copy()
    keep_only(scores, np.zeros(4, bool))
    penalize_repetition(scores, [[1]], 3)
    at_temperature(scores, 2)
    keep_top_k(scores, 1)
    keep_top_p(scores, 0.1)
    keep_min_p(scores, 0.9)
    assert np.array_equal(scores, before)
