"""Numbers as a line of little bars."""

from __future__ import annotations

from collections.abc import Sequence

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
"""From low to high."""
WARM_UP = 0.1
"""The share of a curve whose beginning may be higher than the highest bar: what a training begins with is far up."""


class Curve:
    """Points of a curve, a bounded number of them: when there are too many, neighbours become one.

    Args:
        most: how many points there may be.
    """

    def __init__(self, most: int = 1024) -> None:
        self.most = most
        self.points: list[tuple[float, float]] = []

    def add(self, x: float, y: float) -> None:
        """Add a point; x rises."""
        self.points.append((x, y))
        if len(self.points) > self.most:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            rest = self.points[-1:] * (len(self.points) % 2)
            self.points = [(b, (y + z) / 2) for (_, y), (b, z) in pairs] + rest

    def columns(self, width: int, end: float) -> list[float | None]:
        """The mean of the points in each of so many columns from 0 to `end`; None where there is no point."""
        sums, counts = [0.0] * width, [0] * width
        for x, y in self.points:
            column = min(width - 1, max(0, int(width * x / end)))
            sums[column] += y
            counts[column] += 1
        return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def scale_of(*curves: Sequence[float | None]) -> tuple[float, float]:
    """The lowest and the highest value that bars show: of all that is there, but for the beginning of each curve."""
    seen = [y for curve in curves for y in curve if y is not None]
    late = [y for curve in curves for y in curve[int(WARM_UP * _length(curve)) :] if y is not None]
    return min(seen, default=0.0), max(late, default=1.0)


def sparkline(values: Sequence[float | None], low: float, high: float, bars: str = BARS) -> str:
    """A bar for each value, and blanks for what is None.

    Args:
        values: from left to right.
        low: the value of the lowest bar.
        high: of the highest; what is beyond is cut off.
        bars: from low to high.
    """
    span = max(high - low, 1e-9)
    steps = len(bars) - 1
    return "".join(" " if y is None else bars[round(steps * min(1.0, max(0.0, (y - low) / span)))] for y in values)


def _length(curve: Sequence[float | None]) -> int:
    """Columns up to the last that has a value."""
    return max((i + 1 for i, y in enumerate(curve) if y is not None), default=0)
