"""Numbers as people read them."""

import math

import pytest

from charrnn.formatting import clock, duration, figure, percent, plural, shares_in_words, size, split_in_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (figure(1234.5), "1,234.5000"),
        (figure(math.inf), "∞"),
        (percent(None), "-"),
        (percent(0), "0%"),
        (percent(1e-9), "<0.1%"),
        (percent(1 - 1e-9), ">99.9%"),
        (size(1), "1 byte"),
        (size(12_345), "12.3\xa0kB"),
        (plural(1, "line"), "1 line"),
        (plural(2000, "line"), "2,000 lines"),
        (duration(59.4), "59.4 s"),
        (duration(59.6), "1 min 0 s"),
        (duration(3 * 3600 + 61), "3 h 1 min"),
        (clock(3 * 3600 + 61), "3:01:01"),
        (split_in_words("90/10/0", {"train": 9, "validation": 1, "test": 0}), "90% training (9), 10% validation (1)"),
        (split_in_words("90/10/0", {}), ""),
        (shares_in_words({"words": 0.5, "lines": None, "pairs": 0}), "50.0% of the words and 0% of the pairs"),
        (shares_in_words({"lines": None}), ""),
    ],
)  # fmt: skip
def test_numbers_are_formatted(text: str, expected: str) -> None:
    assert text == expected
