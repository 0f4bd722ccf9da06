"""Numbers as a line of little bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

WARM_UP = 0.1
"""The share of a curve whose beginning may be higher than the highest bar: what a training begins with is far up."""


class Curve:
    """Points of a curve, a bounded number of them, each the mean of as many that were added.

    Args:
        max_points: the maximum number of points.

    Attributes:
        points: x and y of each; x is that of the last one that it is made of.
        latest: the y that was added last.
    """

    def __init__(self, max_points: int = 1024) -> None:
        self.max_points, self.each = max_points, 1
        self.points: list[tuple[float, float]] = []
        self.waiting: list[float] = []
        self.latest: float | None = None

    def add(self, x: float, y: float) -> None:
        """Add a point; x rises."""
        self.latest = y
        if self.waiting:  # the last point is not complete
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
        """Forget what came later."""
        self.points, self.waiting = [point for point in self.points if point[0] <= x], []

    def columns(self, width: int, end: float) -> list[float | None]:
        """The mean of the points in each of so many columns from 0 to `end`; None where there is no point."""
        sums, counts = [0.0] * width, [0] * width
        for x, y in self.points:
            column = min(width - 1, max(0, math.ceil(width * x / end) - 1))
            sums[column] += y
            counts[column] += 1
        return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def held(values: Sequence[float | None]) -> list[float | None]:
    """The same with gaps filled, each by the value before it; what comes after the last value stays empty."""
    filled = list(values)
    for i in range(1, _length(values)):
        filled[i] = filled[i - 1] if filled[i] is None else filled[i]
    return filled


def scale_of(*curves: Sequence[float | None]) -> tuple[float, float]:
    """The lowest and the highest value that bars show: of all that is there, but for the beginning of each curve."""
    seen = [y for curve in curves for y in curve if y is not None]
    late = [y for curve in curves for y in curve[int(WARM_UP * _length(curve)) :] if y is not None]
    return min(seen, default=0.0), max(late, default=1.0)


def _length(curve: Sequence[float | None]) -> int:
    """Columns up to the last that has a value."""
    return max((i + 1 for i, y in enumerate(curve) if y is not None), default=0)
