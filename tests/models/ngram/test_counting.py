"""Counts compared with a dictionary filled one n-gram at a time."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from charrnn.models.ngram.counting import count as counting
from charrnn.models.ngram.counting import keys, tables
from charrnn.models.ngram.counting.count import CountLevel, count_ngrams, count_part, derive_orders
from charrnn.models.ngram.counting.keys import KeyCodec
from charrnn.models.ngram.counting.tables import concatenate_tables, merge, split

Gram = tuple[int, ...]
FIVE = KeyCodec(np.arange(5), 5)


def brute_force(texts: list[list[int]], order: int) -> tuple[Counter[Gram], dict[Gram, set[int]]]:
    """Return how often each n-gram occurs in the texts, and the set of characters before it (0: the padding)."""
    counts: Counter[Gram] = Counter()
    before: dict[Gram, set[int]] = defaultdict(set)
    for ids in texts:
        padded = [0] * order + [i + 1 for i in ids]
        for end in range(order, len(padded)):
            gram = tuple(padded[end - order + 1 : end + 1])
            counts[gram] += 1
            before[gram].add(padded[end - order])
    return counts, before


def grams_of(orders: list[CountLevel]) -> list[list[Gram]]:
    """Return the n-grams of each order, read from the trie."""
    actual: list[list[Gram]] = []
    contexts: list[Gram] = [()]
    for order in orders:
        of = np.repeat(np.arange(len(contexts)), np.diff(order.starts.astype(int)))
        assert len(of) == len(order.tokens)
        contexts = [(*contexts[i], int(token)) for i, token in zip(of, order.tokens, strict=True)]
        actual.append(contexts)
    return actual


def check(orders: list[CountLevel], texts: list[list[int]], occurrences: bool) -> None:
    for k, (order, grams) in enumerate(zip(orders, grams_of(orders), strict=True), 1):
        counts, before = brute_force(texts, k)
        assert grams[0] == (0,) * k
        assert order.counts[0] == 0
        assert grams == sorted(grams)
        if k < len(orders) and not occurrences:
            counts = Counter({gram: len(which) for gram, which in before.items()})
        assert dict(zip(grams[1:], order.counts.tolist()[1:], strict=True)) == counts


@pytest.fixture(params=["as it is", "several words", "in pieces", "shared"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All methods give the same counts."""
    if request.param == "several words":
        monkeypatch.setattr(keys, "MAX_WORD", 4**2)
    if request.param == "in pieces":
        monkeypatch.setattr(counting, "CHUNK_CHARS", 7)
    if request.param == "shared":
        monkeypatch.setattr(tables, "MIN_SHARED", 10)
        monkeypatch.setattr(tables, "workers", lambda: 3)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("occurrences", [False, True])
@pytest.mark.parametrize("highest", [1, 2, 5])
def test_count_ngrams_equals_brute_force(highest: int, occurrences: bool) -> None:
    ids = np.random.default_rng(1).integers(0, 3, 200).astype(np.uint8)
    orders = count_ngrams(ids, 3, highest, occurrences)
    assert len(orders) == highest
    check(orders, [ids.tolist()], occurrences)


@pytest.mark.parametrize("occurrences", [False, True])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_count_ngrams_of_a_text_shorter_than_the_order_equals_brute_force(length: int, occurrences: bool) -> None:
    ids = np.arange(length) % 2
    check(count_ngrams(ids, 2, 4, occurrences), [ids.tolist()], occurrences)


def test_count_ngrams_with_an_unfollowed_last_ngram_equals_brute_force() -> None:
    """The end of the text is an entry without children, at any index."""
    for last in range(4):
        ids = np.array([0, 1, 2, 3, 0, 1, 2, 3, last, last])
        check(count_ngrams(ids, 4, 3), [ids.tolist()], False)


def test_count_ngrams_of_abab_equals_counts_by_hand() -> None:
    """abab: ab twice, ba once, and a once after the padding."""
    unigrams, bigrams = count_ngrams(np.array([0, 1, 0, 1]), 2, 2)
    assert unigrams.tokens.tolist() == [0, 1, 2]
    assert unigrams.counts.tolist() == [0, 2, 1]  # a follows the padding and b; b follows a
    assert bigrams.tokens.tolist() == [0, 1, 2, 1]  # after the padding: itself and a; after a: b; after b: a
    assert bigrams.starts.tolist() == [0, 2, 3, 4]
    assert bigrams.counts.tolist() == [0, 1, 2, 1]


def test_count_ngrams_of_bytes_equals_brute_force() -> None:
    """With `--bytes` the vocabulary has 256 entries, of which a text uses few."""
    for ids in (np.arange(256), np.random.default_rng(5).integers(65, 91, 300)):
        check(count_ngrams(ids.astype(np.uint8), 256, 8), [ids.tolist()], False)


def test_count_ngrams_in_several_words_equals_brute_force() -> None:
    """Order 12 of 5,000 characters would take 148 bits."""
    ids = np.random.default_rng(2).zipf(1.3, 500) % 5000
    check(count_ngrams(ids, 5000, 12), [ids.tolist()], False)


@pytest.mark.parametrize("occurrences", [False, True])
def test_derive_orders_of_several_texts_equals_brute_force(occurrences: bool) -> None:
    rng = np.random.default_rng(3)
    texts = [rng.integers(0, 3, length) for length in (50, 1, 80)]
    codec = KeyCodec(np.arange(3), 3)
    orders = derive_orders(merge([count_part(ids, 0, len(ids), codec, 4) for ids in texts]), texts, occurrences)
    check(orders, [ids.tolist() for ids in texts], occurrences)


def test_merge_of_split_parts_equals_the_whole() -> None:
    ids = np.random.default_rng(4).integers(0, 5, 300)
    whole = count_part(ids, 0, 300, FIVE, 4)
    parts = [count_part(ids, a, b, FIVE, 4) for a, b in ((0, 100), (100, 100), (100, 101), (101, 300))]
    bounds = whole.grams.words[0][[50, 51, 200]]
    ranges = zip(*(split(part, bounds) for part in parts), strict=True)
    for actual in (merge(parts), concatenate_tables([merge(one) for one in ranges])):
        assert (actual.grams.words[0] == whole.grams.words[0]).all()
        assert (actual.counts == whole.counts).all()


def test_count_ngrams_reports_progress_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    count_ngrams(np.zeros(10, int), 1, 3, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == [1, 2, 3, 4]
    assert {total for _, total in told} == {4}
