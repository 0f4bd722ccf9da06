"""The suffix array compared with `sorted`, and its longest matches with a search over all positions."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.models.ngram.longest import suffix_array as suffixes
from charrnn.models.ngram.longest.suffix_array import ContextIndex, suffix_array

Match = tuple[int, set[int]]


def slow_match(text: list[int], seen: list[int], last: int) -> Match:
    """Return the length of the longest suffix of `seen` in the text, and its positions up to `last`."""

    def common(place: int) -> int:
        backwards = zip(reversed(text[:place]), reversed(seen), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], backwards))

    lengths = [common(place) for place in range(last + 1)]
    longest = max(lengths)
    return longest, {place for place, length in enumerate(lengths) if length == longest}


def matches_of(index: ContextIndex, actual: NDArray[np.int64]) -> list[Match]:
    return [(length, set(index.places[low:high].tolist())) for low, high, length in actual.tolist()]


def start(index: ContextIndex, rows: int = 1) -> NDArray[np.int64]:
    return np.array([index.empty] * rows)


def repetitive(rng: np.random.Generator, vocab_size: int, length: int) -> list[int]:
    """Return a text with short repetitions and repetitions longer than MAX_DEPTH, and a rare character."""
    letters = rng.choice(vocab_size, 6)
    parts = [rng.choice(letters, size).tolist() for size in (3, 8, 20, 50)]
    text: list[int] = [vocab_size - 1]
    while len(text) < length:
        text += parts[rng.integers(len(parts))]
    return text[:length]


def test_suffix_array_of_banana_equals_the_textbook() -> None:
    """a, ana, anana, banana, na, nana."""
    assert suffix_array(np.frombuffer(b"banana", np.uint8)).tolist() == [5, 3, 1, 0, 4, 2]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_suffix_array_of_any_type_and_view_is_the_same(kind: type[np.integer[Any]], tmp_path: Path) -> None:
    """The package rejects read-only arrays, and sorts only bytes natively."""
    largest = min(np.iinfo(kind).max, 100_000)
    ids = np.random.default_rng(0).integers(0, 3, 200) * (largest // 2)
    expected = sorted(range(len(ids)), key=lambda i: ids[i:].tolist())
    ids.astype(kind).tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", kind, mode="r")
    assert suffix_array(mapped).tolist() == expected
    assert suffix_array(np.repeat(mapped, 2)[::2]).tolist() == expected
    assert suffix_array(mapped[:1]).tolist() == [0]
    assert suffix_array(mapped[:0]).tolist() == []


@pytest.mark.parametrize("vocab_size", [3, 254, 255, 40_000])
@pytest.mark.parametrize("followed", [False, True])
def test_read_equals_a_slow_search(vocab_size: int, followed: bool) -> None:
    """With one, two and four bytes per character; one by one, and many at once."""
    rng = np.random.default_rng(vocab_size)
    text = repetitive(rng, vocab_size, 300)
    index = ContextIndex.build(np.array(text), vocab_size, followed)
    assert sorted(index.places.tolist()) == list(range(len(text) + (not followed)))
    # What is read: a part of the text, also its end, strange characters and new combinations.
    seen = [*text[100:200], vocab_size // 2, *repetitive(rng, vocab_size, 60), *text[-45:], *text[:40]]
    last = len(text) - followed
    expected = [slow_match(text, seen[: t + 1], last) for t in range(len(seen))]
    assert {length > suffixes.MAX_DEPTH for length, _ in expected} == {True, False}
    at_once = index.read(np.array([seen]), start(index))
    assert matches_of(index, at_once[0]) == expected
    match = start(index)
    for t, token in enumerate(seen):
        match = index.read(np.array([[token]]), match)[:, 0]
        assert match.tolist() == at_once[:, t].tolist()


def test_read_with_matches_continues_them() -> None:
    rng = np.random.default_rng(1)
    text = repetitive(rng, 5, 300)
    index = ContextIndex.build(np.array(text, np.uint8), 5)
    seen = np.array([text[:150], text[90:240], rng.choice(5, 150).tolist()], np.uint8)
    whole = index.read(seen, start(index, 3))
    for size in (1, 11, 70):
        parts, matches = [], start(index, 3)
        for begin in range(0, 150, size):
            parts.append(index.read(seen[:, begin : begin + size], matches))
            matches = parts[-1][:, -1]
        assert np.concatenate(parts, axis=1).tolist() == whole.tolist()


@pytest.mark.parametrize("text", [[0], [0, 0], [1, 0], [2] * 60])
def test_read_of_short_and_repetitive_texts_equals_a_slow_search(text: list[int]) -> None:
    """In such texts, words extend before the start."""
    for followed in (False, True):
        index = ContextIndex.build(np.array(text), 4, followed)
        for seen in ([2] * 100, ([3, *text * 2] * 20)[:200], [0, 1] * 30):
            actual = index.read(np.array([seen]), start(index))
            expected = [slow_match(text, seen[: t + 1], len(text) - followed) for t in range(len(seen))]
            assert matches_of(index, actual[0]) == expected


def test_context_index_of_an_empty_text_has_one_place() -> None:
    index = ContextIndex.build(np.zeros(0, np.uint8), 3)
    assert index.read(np.zeros((1, 50), np.uint8), start(index)).tolist() == [[[0, 1, 0]] * 50]


def test_extend_broadcasts_ranges_and_tokens() -> None:
    """After a, in abracadabra: b and b, c, d; no a, no r."""
    index = ContextIndex.build(np.array(["abcdr".index(letter) for letter in "abracadabra"]), 5)
    (low, high, length) = index.read(np.array([[0]]), start(index))[0, 0].tolist()
    assert (high - low, length) == (5, 1)
    first, last = index.extend(low, high, np.arange(5))
    assert (last - first).tolist() == [0, 2, 1, 1, 0]


def test_build_in_chunks_gives_the_same_index(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(2).integers(0, 3, 100).astype(np.uint8)
    whole = ContextIndex.build(ids, 3)
    monkeypatch.setattr(suffixes, "CHUNK_PLACES", 7)
    seen: list[tuple[int, int]] = []
    parts = ContextIndex.build(ids, 3, progress=lambda done, total: seen.append((done, total)))
    for name in ("text", "places", "shorter", "starts"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert seen[-1] == (3, 3)
