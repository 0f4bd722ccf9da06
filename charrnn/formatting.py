"""Numbers as people read them: scores, shares, sizes, times, and lines of little bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-:=+*#"
"""Bars from low to high, for terminals that have no others."""


def figure(value: float, digits: int = 4) -> str:
    """A score in a table: 2.1234, or ∞."""
    return "∞" if math.isinf(value) else f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage; - for None. What is more than 0 never reads 0%, nor what is less than 1 100%."""
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{share:.0%}"
    least = 10.0**-digits / 100
    if share < least:
        return f"<{least:.{digits}%}"
    return f">{1 - least:.{digits}%}" if share > 1 - least else f"{share:.{digits}%}"


def size(number: int) -> str:
    """A number of bytes: 12.3 kB, 4.5 MB. The unit is on the line of its number wherever lines are broken."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:,.1f}\xa0{unit}"
    return plural(number, "byte")


def plural(number: int, noun: str) -> str:
    """1 byte, 2,000 bytes."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """A time in words: 5.4 s, 2 min 46 s, or 3 h 20 min."""
    if seconds < 59.5:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """A time as on a stop watch: 0:05, 2:46, or 3:20:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sparkline(values: Sequence[float | None], low: float = 0.0, high: float = 1.0, bars: str = BARS) -> str:
    """A bar for each value, and blanks for None. Values beyond `low` and `high`, the ends of the bars, are cut off."""
    span = max(high - low, 1e-9)
    steps = len(bars) - 1
    return "".join(" " if y is None else bars[round(steps * min(1.0, max(0.0, (y - low) / span)))] for y in values)
