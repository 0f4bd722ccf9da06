"""Find units of a network that track a feature of the text, and test whether the match is better than chance.

Among hundreds of units, some unit correlates with any feature. So a unit is selected on one half of the text, and its
correlation is reported on the other half. The chance level comes from a permutation test: the labels are shifted
cyclically by a random amount (shuffling would destroy their autocorrelation), and the largest correlation over all
units is taken. The largest value over many shifts is the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHIFTS = 99
"""Number of shifts; with 99, chance exceeds a feature's threshold at most once in 100 times."""
RAREST = 0.005
"""Minimum share of positions at which a feature must differ from its most frequent value to be tested."""
RUNNERS_UP = 4
"""Number of next best units to report for each feature."""


@dataclass(frozen=True)
class UnitMatch:
    """The unit that tracks a feature best.

    Attributes:
        feature: name of the feature.
        unit: number of the unit, selected on the first half of the text.
        correlation: Pearson correlation on the second half.
        chance: threshold: the largest |correlation| of any unit with shifted labels, on the second half.
        others: the next best units on the first half, with their correlations on the second.
    """

    feature: str
    unit: int
    correlation: float
    chance: float
    others: tuple[tuple[int, float], ...] = ()

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the correlation exceeds the chance threshold."""
        return abs(self.correlation) > self.chance


def match_units(
    values: NDArray[np.floating], labels: dict[str, NDArray[np.float64]], seed: int = 0, shifts: int = SHIFTS
) -> tuple[UnitMatch, ...]:
    """Find, for each feature, the unit that tracks it best.

    Args:
        values: (N, U) activations.
        labels: (N,) values of each feature, by name. Features that hardly vary in one of the halves are left out.
        seed: seed of the shifts.
        shifts: number of shifts.

    Returns:
        The matches: first those beyond chance, then the others, each by decreasing |correlation|.
    """
    half = len(values) // 2
    if not half:
        return ()
    first, second = _standard(values[:half]), _standard(values[half:])
    rng = np.random.default_rng(seed)
    matches = []
    for feature, label in labels.items():
        if not (_varies(label[:half]) and _varies(label[half:])):
            continue
        on_first = _standard(label[:half, None])[:, 0] @ first / half
        ranked = np.argsort(-np.abs(on_first), kind="stable")[: 1 + RUNNERS_UP].tolist()
        rest = len(label) - half
        steps = rng.integers(rest // 20, rest - rest // 20, shifts)
        shifted = _standard(np.stack([np.roll(label[half:], step) for step in steps], 1))
        chance = float(np.abs(shifted.T @ second).max()) / rest
        on_second = _standard(label[half:, None])[:, 0] @ second[:, ranked] / rest
        pairs = [(unit, float(r)) for unit, r in zip(ranked, on_second, strict=True)]
        matches.append(UnitMatch(feature, *pairs[0], chance, tuple(pairs[1:])))
    return tuple(sorted(matches, key=lambda match: (not match.is_beyond_chance, -abs(match.correlation))))


def _standard(columns: NDArray[np.floating]) -> NDArray[np.float32]:
    """Standardize (N, K) columns to mean 0 and variance 1; constant columns become 0."""
    centred = columns - columns.mean(0, dtype=np.float64)
    deviation = centred.std(0, dtype=np.float64)
    is_alive = deviation > 1e-6
    scaled: NDArray[np.float32] = np.where(is_alive, centred / np.where(is_alive, deviation, 1), 0).astype(np.float32)
    return scaled


def _varies(label: NDArray[np.float64]) -> bool:
    _, counts = np.unique(label, return_counts=True)
    return bool(counts.max() <= len(label) * (1 - RAREST))
