"""Training curves with a bounded number of points, and their values as columns of bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

WARM_UP = 0.1
"""The share of a curve, from its beginning, that does not set the scale: the first losses are far above the rest."""


class Curve:
    """A curve with a bounded number of points; each point is the mean of equally many values.

    Args:
        max_points: the maximum number of points.

    Attributes:
        points: x and y of each point; x is that of its last value.
        latest: the last y that was added.
    """

    def __init__(self, max_points: int = 1024) -> None:
        self.max_points, self.each = max_points, 1
        self.points: list[tuple[float, float]] = []
        self.waiting: list[float] = []
        self.latest: float | None = None

    def add(self, x: float, y: float) -> None:
        """Add a value; x must increase."""
        self.latest = y
        if self.waiting:  # the last point is incomplete
            self.points.pop()
        self.waiting.append(y)
        self.points.append((x, sum(self.waiting) / len(self.waiting)))
        if len(self.waiting) < self.each:
            return
        self.waiting.clear()
        if len(self.points) >= self.max_points:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [(b, (y + z) / 2) for (_, y), (b, z) in pairs]
            self.each *= 2

    def drop_after(self, x: float) -> None:
        """Drop all points after x."""
        self.points, self.waiting = [point for point in self.points if point[0] <= x], []

    def columns(self, width: int, end: float) -> list[float | None]:
        """Return the mean of the points in each of `width` columns from 0 to `end`; None for empty columns."""
        sums, counts = [0.0] * width, [0] * width
        for x, y in self.points:
            column = min(width - 1, max(0, math.ceil(width * x / end) - 1))
            sums[column] += y
            counts[column] += 1
        return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def forward_fill(values: Sequence[float | None]) -> list[float | None]:
    """Fill each gap with the value before it; columns after the last value stay None."""
    filled = list(values)
    for i in range(1, _length(values)):
        filled[i] = filled[i - 1] if filled[i] is None else filled[i]
    return filled


def value_range(*curves: Sequence[float | None]) -> tuple[float, float]:
    """Return the lowest and highest value to draw; the highest ignores the first `WARM_UP` of each curve."""
    values = [y for curve in curves for y in curve if y is not None]
    late = [y for curve in curves for y in curve[int(WARM_UP * _length(curve)) :] if y is not None]
    return min(values, default=0.0), max(late, default=1.0)


def _length(curve: Sequence[float | None]) -> int:
    """Return the number of columns up to the last value."""
    return max((i + 1 for i, y in enumerate(curve) if y is not None), default=0)
