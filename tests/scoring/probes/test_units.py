"""The search for units that track a feature: planted units are found, chance correlations are not."""

import numpy as np

from charrnn.scoring.probes.features import compute_features
from charrnn.scoring.probes.units import match_units

TEXT = "".join(f"{'word ' * (3 + i * i % 9)}\n" for i in range(150))


def noise(units: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return autocorrelated random activations, similar to those of a network."""
    steps = np.random.default_rng(0).normal(size=(len(TEXT), units))
    for t in range(1, len(steps)):
        steps[t] += 0.9 * steps[t - 1]
    return steps


def test_search_finds_a_planted_unit_first() -> None:
    labels = compute_features(TEXT)
    values = noise(60)
    values[:, 17] = np.tanh(labels["position in the line"] / 30) + 0.1 * values[:, 17]
    matches = match_units(values, labels)
    assert (matches[0].feature, matches[0].unit) == ("position in the line", 17)
    assert matches[0].correlation > 0.7
    assert matches[0].is_beyond_chance
    assert matches[0].chance < 0.5
    assert len(matches[0].others) == 4


def test_search_finds_a_negative_correlation() -> None:
    labels = compute_features(TEXT)
    values = noise(20)
    values[:, 3] = -labels["position in the line"]
    assert match_units(values, labels)[0].correlation < -0.99


def test_search_in_noise_finds_nothing_beyond_chance() -> None:
    """The best of 200 units on the first half is no better than the others on the second half."""
    matches = match_units(noise(200), compute_features(TEXT))
    assert matches
    assert not any(match.is_beyond_chance for match in matches)


def test_search_ignores_a_unit_that_tracks_on_one_half() -> None:
    labels = compute_features(TEXT)
    values = noise(20)
    half = len(TEXT) // 2
    values[:half, 5] = labels["position in the line"][:half]
    (match,) = [match for match in match_units(values, labels) if match.feature == "position in the line"]
    assert match.unit == 5
    assert not match.is_beyond_chance


def test_search_leaves_out_rare_features() -> None:
    labels = compute_features(TEXT)
    tested = {match.feature for match in match_units(noise(5), labels)}
    assert "position in the line" in tested
    assert tested.isdisjoint({"inside quotes", "bracket depth", "digit", "upper case letter", "inside a tag"})


def test_search_with_constant_units_works() -> None:
    matches = match_units(np.ones((len(TEXT), 3)), compute_features(TEXT))
    assert all(match.correlation == match.chance == 0 and not match.is_beyond_chance for match in matches)


def test_search_in_a_tiny_text_finds_nothing() -> None:
    for text in ("ab", "a"):
        assert match_units(np.zeros((len(text), 3)), compute_features(text)) == ()
