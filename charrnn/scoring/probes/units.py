"""Which units of a network keep track of something, and whether that is more than luck.

Among hundreds of units the best is always correlated with anything. So a unit is chosen on one half of a text, and what
is reported is its correlation on the other half. Beside it stands what chance gives there: the labels are shifted
around, by so much that what is left is their own rhythm alone (a text is no row of independent characters, so they
cannot be shuffled), and the best of all units is taken, for each of many shifts; the largest is the line to pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHIFTS = 99
"""So chance alone passes the line of a feature once in a hundred times at most: one unit is held to the best of all."""
RAREST = 0.005
"""Of the places where a feature is not as it is mostly: where there are fewer, nothing can be said of it."""
RUNNERS_UP = 4


@dataclass(frozen=True)
class UnitMatch:
    """The unit that keeps track of a feature best.

    Attributes:
        unit: chosen on the first half of the text.
        correlation: Pearson's, on the second half.
        chance: the largest |correlation| on the second half, of any unit with labels that are shifted.
        others: the next best units on the first half, and their correlations on the second.
    """

    feature: str
    unit: int
    correlation: float
    chance: float
    others: tuple[tuple[int, float], ...] = ()

    @property
    def is_beyond_chance(self) -> bool:
        """Whether that is more than luck."""
        return abs(self.correlation) > self.chance


def search(
    values: NDArray[np.floating], labels: dict[str, NDArray[np.float64]], seed: int = 0, shifts: int = SHIFTS
) -> tuple[UnitMatch, ...]:
    """For each feature the unit that keeps track of it best.

    Args:
        values: (N, U) what the units were.
        labels: (N,) each, by the features' names. A feature that one half hardly has is left out.
        seed: of the shifts.
        shifts: how many.

    Returns:
        Those beyond chance first, by |correlation|.
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
    """(N, K) columns of mean 0 and variance 1; of 0 where there is no variance."""
    centred = columns - columns.mean(0, dtype=np.float64)
    deviation = centred.std(0, dtype=np.float64)
    is_alive = deviation > 1e-6
    scaled: NDArray[np.float32] = np.where(is_alive, centred / np.where(is_alive, deviation, 1), 0).astype(np.float32)
    return scaled


def _varies(label: NDArray[np.float64]) -> bool:
    _, counts = np.unique(label, return_counts=True)
    return bool(counts.max() <= len(label) * (1 - RAREST))
