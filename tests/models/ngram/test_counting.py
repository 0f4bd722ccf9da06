"""Counts against a dictionary that is filled one n-gram at a time."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from charrnn.errors import UsageError
from charrnn.models.ngram.counting import count_ngrams, largest_order


def brute_force(ids: list[int], order: int) -> tuple[Counter[tuple[int, ...]], dict[tuple[int, ...], set[int]]]:
    """How often each n-gram ends somewhere in the text, and which characters stand before it (0: the padding)."""
    padded = [0] * order + [i + 1 for i in ids]
    counts: Counter[tuple[int, ...]] = Counter()
    before: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for end in range(order, len(padded)):
        gram = tuple(padded[end - order + 1 : end + 1])
        counts[gram] += 1
        before[gram].add(padded[end - order])
    return counts, before


@pytest.mark.parametrize("highest", [1, 2, 5])
def test_counts_and_continuations(highest: int) -> None:
    V = 3
    ids = np.random.default_rng(1).integers(0, V, 200)
    tables = count_ngrams(ids, V, highest)
    assert len(tables) == highest
    for order, table in enumerate(tables, 1):
        counts, before = brute_force(ids.tolist(), order)
        digits = [tuple(int(key) // (V + 1) ** i % (V + 1) for i in range(order))[::-1] for key in table.keys]
        assert digits[0] == (0,) * order
        assert table.counts[0] == table.continuations[0] == 0
        assert digits == sorted(digits)
        assert dict(zip(digits[1:], table.counts[1:], strict=True)) == counts
        if order < highest:
            found = dict(zip(digits[1:], table.continuations[1:], strict=True))
            assert found == {gram: len(which) for gram, which in before.items()}
        else:
            assert (table.continuations == table.counts).all()


def test_by_hand() -> None:
    """abab: ab twice, ba once, and a once after the padding."""
    unigrams, bigrams = count_ngrams(np.array([0, 1, 0, 1]), 2, 2)
    assert unigrams.keys.tolist() == [0, 1, 2]
    assert unigrams.counts.tolist() == [0, 2, 2]
    assert unigrams.continuations.tolist() == [0, 2, 1]  # a follows the padding and b; b follows a
    assert bigrams.keys.tolist() == [0, 0 * 3 + 1, 1 * 3 + 2, 2 * 3 + 1]
    assert bigrams.counts.tolist() == [0, 1, 2, 1]


def test_the_largest_order_fits_and_the_next_does_not() -> None:
    assert largest_order(65) == 10  # base-66 arithmetic: 66^10 < 2^63
    assert largest_order(256) == 7
    ids = np.full(30, 64)  # the largest digit everywhere: an overflow would show
    assert (count_ngrams(ids, 65, 10)[-1].keys >= 0).all()
    with pytest.raises(UsageError, match="--order 11 is too large for a vocabulary of 65 characters; say --order 10"):
        count_ngrams(ids, 65, 11)
