"""Duplicates in a text, compared with plain Python."""

from collections import Counter

import numpy as np
import pytest

from charrnn.text.stats.duplicates import BLOCK, LONG_LINE, RUN, HashSketch, RepeatCounter, Repeats


def counted(text: str, train: int, piece: int = 1 << 20, capacity: int = 1 << 20) -> Repeats:
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    counter = RepeatCounter(capacity)
    for begin in range(0, len(points), piece):
        counter.feed(points[begin : begin + piece])
    return counter.finish(train)


def slowly(met: list[tuple[str, int]], train: int) -> tuple[float | None, float | None]:
    """Compute both fractions of repeated items with dictionaries."""
    counts = Counter(text for text, _ in met)
    held_out = {text for text, place in met if place >= train}
    known = {text for text, place in met if place < train}
    return (
        sum(counts[text] > 1 for text, _ in met) / len(met) if met else None,
        len(held_out & known) / len(held_out) if held_out else None,
    )


def plain(text: str, train: int) -> Repeats:
    """The reference implementation."""
    runs = [(text[i : i + RUN], i) for i in range(len(text) - RUN + 1)]
    lines, place = [], 0
    for line in text.split("\n"):
        if len(line) > LONG_LINE:
            lines.append((line, place))
        place += len(line) + 1
    of_runs, of_lines = slowly(runs, train), slowly(lines, train)
    return Repeats(of_runs[0], of_lines[0], of_runs[1], of_lines[1], 1.0)


@pytest.fixture(scope="module")
def text() -> str:
    """Lines of random letters, some of them copies, some long, the last one unfinished."""
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(list("abcdé 中"), size)) for size in rng.integers(0, 90, 60)]
    return "\n".join(lines[i] for i in rng.integers(0, 60, 80)) + "\n" + lines[0] + "the end of it, it is here"


@pytest.mark.parametrize("piece", [3, 49, 1000, 10**6])
def test_repeat_counter_matches_plain_dictionaries(text: str, piece: int) -> None:
    train = int(len(text) * 0.8)
    assert counted(text, train, piece) == plain(text, train)
    assert counted(text, train, piece).runs not in (0, 1)


@pytest.mark.parametrize("text", ["", "\n", "abc", "a" * RUN, "a" * (RUN + 1), "a" * 21 + "\n" + "a" * 21])
def test_repeat_counter_short_texts_match_plain_dictionaries(text: str) -> None:
    assert counted(text, len(text)) == plain(text, len(text))


def test_repeat_counter_finds_copies_across_blocks() -> None:
    """A line, and runs, that start in one block and end in the next."""
    rng = np.random.default_rng(1)
    half = "".join(rng.choice(list("abcdefgh"), BLOCK - 10)) + "\n"
    actual = counted(half + half, len(half))
    assert (actual.lines, actual.held_out_lines) == (1, 1)
    assert actual.runs == pytest.approx(1, abs=2 * RUN / len(half))


def test_repeat_counter_sampled_shares_are_close_to_exact() -> None:
    rng = np.random.default_rng(2)
    new = "".join(rng.choice(list("abcdefgh"), 60_000))
    text = new[:20_000] + new
    actual, wanted = counted(text, 40_000, 5000, 2000), counted(text, 40_000)
    assert actual.sampled < 0.1
    assert wanted.sampled == 1
    assert actual.runs == pytest.approx(wanted.runs, abs=0.06)
    assert actual.held_out_runs == pytest.approx(wanted.held_out_runs, abs=0.06)


def test_hash_sketch_repeated_hash_takes_no_room() -> None:
    sketch = HashSketch(1000)
    for begin in range(0, 10_000, 500):
        sketch.add(np.full(500, 7, np.uint64), np.arange(begin, begin + 500))
    assert sketch.shares(9_000) == (1.0, 1.0)
