"""Numbers for people: scores, shares, sizes, times, splits and sparklines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BARS = "▁▂▃▄▅▆▇█"
"""Bars of a sparkline, from low to high."""
ASCII_BARS = "_.-:=+*#"
"""Bars of a sparkline, from low to high, for terminals without `BARS`."""


def figure(value: float, digits: int = 4) -> str:
    """Format a score for a table: 2.1234, or ∞."""
    return "∞" if math.isinf(value) else f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share from 0 to 1 as a percentage; None as -. Only 0 is shown as 0%, and only 1 as 100%."""
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{share:.0%}"
    least = 10.0**-digits / 100
    if share < least:
        return f"<{least:.{digits}%}"
    return f">{1 - least:.{digits}%}" if share > 1 - least else f"{share:.{digits}%}"


def shares_in_words(shares: Mapping[str, float | None]) -> str:
    """Format shares of things by name, except for None: 5.0% of the words and 1.2% of the lines."""
    return " and ".join(f"{percent(share)} of the {name}" for name, share in shares.items() if share is not None)


def size(number: int) -> str:
    """Format a number of bytes: 12.3 kB, 4.5 MB. A no-break space keeps the number and its unit on one line."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:,.1f}\xa0{unit}"
    return plural(number, "byte")


def rough_count(number: float) -> str:
    """Format an estimate with two significant digits: 950,000 or 7.2 million."""
    if number >= 1e6:
        millions = number / 1e6
        return f"{millions:.1f} million" if millions < 10 else f"{millions:,.0f} million"
    return f"{float(f'{number:.2g}'):,.0f}"


def plural(number: int, noun: str) -> str:
    """Format a number with its noun: 1 byte, 2,000 bytes."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Format a time in words: 5.4 s, 2 min 46 s, or 3 h 20 min."""
    if seconds < 59.5:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """Format a time like a stopwatch: 0:05, 2:46, or 3:20:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def part_name(part: str) -> str:
    """Return the name of a part of a text in a sentence: `train` is the training part."""
    return "training" if part == "train" else part


def split_in_words(split: str, sizes: Mapping[str, int]) -> str:
    """Format a split: 90% training (9,000), 10% validation (1,000).

    Args:
        split: the percentages, such as 90/10/0.
        sizes: the number of characters of each part, in the same order; empty parts are not shown.
    """
    parts = zip(split.split("/"), sizes.items(), strict=False)
    return ", ".join(f"{share}% {part_name(part)} ({number:,})" for share, (part, number) in parts if number)


def sparkline(values: Sequence[float | None], low: float = 0.0, high: float = 1.0, bars: str = BARS) -> str:
    """Draw a bar for each value, and a blank for None; values are clipped to the range from `low` to `high`."""
    span = max(high - low, 1e-9)
    steps = len(bars) - 1
    return "".join(" " if y is None else bars[round(steps * min(1.0, max(0.0, (y - low) / span)))] for y in values)
