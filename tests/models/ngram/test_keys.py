"""n-gram keys compared with tuples, in one word and in several."""

import numpy as np
import pytest

from charrnn.models.ngram.counting import keys
from charrnn.models.ngram.counting.keys import KeyCodec, NgramKeys, windows

V = 6
ALL = KeyCodec(np.arange(V), V)


def tuples(grams: NgramKeys) -> list[tuple[int, ...]]:
    """Return the digits of each n-gram, the oldest first."""
    columns = [
        word // np.uint64(grams.codec.base ** (digits - 1 - i)) % np.uint64(grams.codec.base)
        for word, digits in zip(grams.words, grams.digits, strict=True)
        for i in range(digits)
    ]
    return [tuple(map(int, row)) for row in np.stack(columns, axis=1)]


@pytest.fixture(params=[2**64 - 1, 7**2 - 1, 6], ids=["one word", "two digits a word", "a word a digit"])
def _word(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_WORD", request.param)


@pytest.mark.usefixtures("_word")
@pytest.mark.parametrize("order", [1, 2, 5])
def test_windows_equal_tuples(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "BLOCK_WINDOWS", 16)
    ids = np.random.default_rng(0).integers(0, V, 100).astype(np.uint8)
    padded = [0] * (order - 1) + [int(i) + 1 for i in ids]
    expected = [tuple(padded[end : end + order]) for end in range(len(ids))]
    grams = windows(ids, 0, len(ids), order, ALL)
    assert grams.order == order
    assert tuples(grams) == expected
    assert tuples(windows(ids, 40, 70, order, ALL)) == expected[40:70]
    assert grams.newest().tolist() == [gram[-1] for gram in expected]
    if order > 1:
        assert tuples(grams.without_newest()) == [gram[:-1] for gram in expected]
        assert tuples(grams.without_oldest()) == [gram[1:] for gram in expected]
    if order > 2:
        assert tuples(grams.without_oldest().without_newest()) == tuples(grams.without_newest().without_oldest())
    assert tuples(grams[grams.sorting()]) == sorted(expected)
    assert tuples(grams.with_padding()) == [(0,) * order, *expected]
    ordered = grams.sorted()
    assert tuples(ordered) == sorted(expected)
    assert tuples(ordered[ordered.first_of_runs()]) == sorted(set(expected))


def test_windows_of_the_largest_key_do_not_overflow() -> None:
    """With 255 characters and the padding, eight digits fill 64 bits exactly."""
    grams = windows(np.full(8, 254, np.uint8), 0, 8, 8, KeyCodec(np.arange(255), 255))
    assert grams.digits == (8,)
    assert int(grams.words[0][-1]) == 2**64 - 1
    assert windows(np.zeros(2, np.uint16), 0, 2, 8, KeyCodec(np.arange(256), 256)).digits == (7, 1)


def test_codec_omits_unused_characters_where_that_saves_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight digits of 256 bytes and padding do not fit into 64 bits; those of a text do if a byte does not occur."""
    text = np.random.default_rng(1).integers(1, 256, 5000).astype(np.uint8)
    monkeypatch.setattr(keys, "CHUNK_CHARS", 3000)
    codec = KeyCodec.of(text, 256, 8)
    assert len(np.unique(text)) == len(codec.characters) == 255
    grams = windows(text, 0, len(text), 8, codec)
    assert grams.digits == (8,)
    assert codec.tokens_of(grams.newest()).tolist() == (text.astype(int) + 1).tolist()
    assert len(KeyCodec.of(text, 256, 7).characters) == 256
