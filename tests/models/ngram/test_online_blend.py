"""A blend of n-grams that keep counting."""

import numpy as np
import pytest

from charrnn.config import NgramConfig
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.folded import classes_of
from charrnn.models.ngram.online_blend import OnlineBlend, mix

V, CLASSES = 6, np.array([0, 1, 2, 0, 3, 1])
RNG = np.random.default_rng(0)
TRAIN, TEXT = RNG.integers(0, V, 300), RNG.integers(0, V, 40)
ORDER_3 = NgramConfig(order=3, smoothing="mkn")


def blend() -> OnlineBlend:
    parts = [NgramCounts.of(TRAIN, V, ORDER_3), NgramCounts.of(classes_of(TRAIN, CLASSES), 4, ORDER_3)]
    return OnlineBlend(parts, parts[0].model(), CLASSES)


def test_one_part_is_itself() -> None:
    counts = NgramCounts.of(TRAIN, V, ORDER_3)
    np.testing.assert_allclose(
        OnlineBlend([counts], counts.model(), None).online_log_probs(TEXT), counts.online_log_probs(TEXT)
    )


def test_probabilities_of_all_next_characters_sum_to_one() -> None:
    last = [blend().online_log_probs(np.append(TEXT, c))[-1] for c in range(V)]
    assert np.exp(last).sum() == pytest.approx(1)


def test_later_characters_change_nothing() -> None:
    whole = blend().online_log_probs(TEXT)
    np.testing.assert_allclose(blend().online_log_probs(TEXT[:25]), whole[:24])


def test_weights_move_to_the_better_model_of_each_group() -> None:
    groups = np.tile([0, 1], 2000)
    good, bad = np.full(4000, 0.9), np.full(4000, 0.1)
    probabilities = np.stack((np.where(groups == 0, good, bad), np.where(groups == 0, bad, good)), 1)
    means = mix(probabilities, groups)
    assert means[0] == means[1] == pytest.approx(0.5)
    assert (means[-2:] > 0.8).all()
    assert (np.diff(means[groups == 0]) > 0).all()
