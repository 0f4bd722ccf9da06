"""Smoothing methods compared with worked examples, an independent slow implementation, and published figures."""

from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.models.ngram.counting.count import count_ngrams
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import smooth
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus

Gram = tuple[int, ...]
ABRACADABRA = "abracadabra"
LETTERS = "abcdr"
IDS = np.array([LETTERS.index(letter) for letter in ABRACADABRA])


def probabilities(smoothing: str, order: int, context: str) -> dict[str, float]:
    """Return the probability of each letter after a context in the middle of a text."""
    model = fit_ngram(IDS, len(LETTERS), NgramConfig(order=order, smoothing=smoothing))
    # "c" twice occurs nowhere, so nothing before the context matters.
    tokens = torch.tensor([[LETTERS.index(letter) for letter in "cc" + context]])
    logits, _ = model(tokens)
    return dict(zip(LETTERS, logits[0, -1].exp().tolist(), strict=True))


def test_ml_of_abracadabra_equals_fractions_by_hand() -> None:
    """After a: b twice, c and d once. After cc, which never occurs, c counts: it is followed by a."""
    assert probabilities("ml", 2, "a") == pytest.approx({"a": 0, "b": 1 / 2, "c": 1 / 4, "d": 1 / 4, "r": 0})
    assert probabilities("ml", 3, "") == pytest.approx({"a": 1, "b": 0, "c": 0, "d": 0, "r": 0})
    assert probabilities("ml", 1, "") == pytest.approx(
        {"a": 5 / 11, "b": 2 / 11, "c": 1 / 11, "d": 1 / 11, "r": 2 / 11}
    )


def test_stupid_of_abracadabra_equals_fractions_by_hand() -> None:
    """After a: 1/2, 1/4, 1/4 for b, c, d, and 0.4 times 5/11 and 2/11 for a and r; all divided by their sum."""
    raw = {"a": 0.4 * 5 / 11, "b": 1 / 2, "c": 1 / 4, "d": 1 / 4, "r": 0.4 * 2 / 11}
    total = sum(raw.values())
    assert total == pytest.approx(1.2545, abs=1e-4)
    assert probabilities("stupid", 2, "a") == pytest.approx({letter: p / total for letter, p in raw.items()})


def test_witten_bell_of_abracadabra_equals_fractions_by_hand() -> None:
    """Unigrams: 11 letters, 5 types, so (c + 5 · 1/5) / 16. After a: 4 letters, 3 types, so (c + 3 P_1) / 7."""
    unigram = {"a": 6 / 16, "b": 3 / 16, "c": 2 / 16, "d": 2 / 16, "r": 3 / 16}
    assert probabilities("witten-bell", 1, "") == pytest.approx(unigram)
    after_a = {"a": 0, "b": 2, "c": 1, "d": 1, "r": 0}
    expected = {letter: (count + 3 * unigram[letter]) / 7 for letter, count in after_a.items()}
    assert probabilities("witten-bell", 2, "a") == pytest.approx(expected)


def test_kn_of_abracadabra_equals_fractions_by_hand() -> None:
    """Bigrams of abracadabra, the padding as first letter: one each of (·a, ac, ca, ad, da), two each of (ab, br, ra).

    D_2 = 5 / (5 + 2·3) = 5/11. Unigram counts are the distinct letters before: a 4 (·, c, d, r), b 1, c 1, d 1, r 1; 8
    in all. n1 = 4 and n2 = 0 give no estimate, so D_1 is the fallback, 1/2, and P_1 = (c − 1/2 + 5/2 · 1/5) / 8 = c/8.
    """
    unigram = {"a": 4 / 8, "b": 1 / 8, "c": 1 / 8, "d": 1 / 8, "r": 1 / 8}
    assert probabilities("kn", 1, "") != pytest.approx(unigram)  # the highest order counts occurrences
    discount = 5 / 11
    left = 3 * discount / 4
    expected = {letter: left * p for letter, p in unigram.items()}
    for letter, count in {"b": 2, "c": 1, "d": 1}.items():
        expected[letter] += (count - discount) / 4
    assert probabilities("kn", 2, "a") == pytest.approx(expected)


def test_smooth_with_a_concentration_equals_fractions_by_hand() -> None:
    """The form of `tuned`, with D = 1/2 for all counts and θ = 1.

    Bigrams after a: b twice, c and d once: (2 − 1/2, 1 − 1/2, 1 − 1/2) / 5, and (3 · 1/2 + 1) / 5 for the unigrams.
    These count the distinct letters before: a 4, b, c, d and r 1 each, so (c − 1/2 + (5/2 + 1) / 5) / 9.
    """
    orders = count_ngrams(IDS, len(LETTERS), 2)
    half = torch.tensor([[0.5], [0.5], [0.5], [1.0]], dtype=torch.double)
    model = NgramModel(NgramConfig(order=2), len(LETTERS), smooth(orders, lambda order, known: half.expand_as(known)))
    logits, _ = model(torch.tensor([[2, 0]]))
    unigram = {letter: (count - 0.5 + 3.5 / 5) / 9 for letter, count in zip(LETTERS, (4, 1, 1, 1, 1), strict=True)}
    expected = {letter: 2.5 / 5 * p for letter, p in unigram.items()}
    for letter, count in {"b": 2, "c": 1, "d": 1}.items():
        expected[letter] += (count - 0.5) / 5
    assert sum(expected.values()) == pytest.approx(1)
    assert dict(zip(LETTERS, logits[0, -1].exp().tolist(), strict=True)) == pytest.approx(expected)


class SlowKneserNey:
    """Interpolated modified Kneser-Ney from Chen and Goodman's equations, with exact fractions and dictionaries."""

    def __init__(self, ids: list[int], vocab_size: int, order: int) -> None:
        self.order, self.vocab_size = order, vocab_size
        padded = [-1] * order + ids
        self.counts: list[Counter[Gram]] = [Counter() for _ in range(order + 1)]
        for end in range(order, len(padded)):
            self.counts[order][tuple(padded[end - order + 1 : end + 1])] += 1
        for k in range(order - 1, 0, -1):
            before: dict[Gram, set[Gram]] = defaultdict(set)
            for gram in self.counts[k + 1]:
                before[gram[1:]].add(gram[:1])
            self.counts[k] = Counter({gram: len(which) for gram, which in before.items()})
        self.discounts = [self.discount(counts) for counts in self.counts]
        self.by_context: dict[Gram, dict[int, int]] = defaultdict(dict)
        for counts in self.counts:
            for gram, count in counts.items():
                self.by_context[gram[:-1]][gram[-1]] = count

    @staticmethod
    def discount(counts: Counter[Gram]) -> list[Fraction]:
        n = Counter(counts.values())
        fallback = [Fraction(0), Fraction(1, 2), Fraction(1), Fraction(3, 2)]
        if not all(n[i] for i in (1, 2, 3, 4)):
            return fallback
        y = Fraction(n[1], n[1] + 2 * n[2])
        actual = [Fraction(0), *(i - (i + 1) * y * Fraction(n[i + 1], n[i]) for i in (1, 2, 3))]
        return actual if all(0 <= actual[i] <= i for i in (1, 2, 3)) else fallback

    def probability(self, context: Gram, letter: int) -> Fraction:
        seen = self.by_context.get(context)
        lower = self.probability(context[1:], letter) if context else Fraction(1, self.vocab_size)
        if not seen:
            return lower
        discounts = self.discounts[len(context) + 1]
        total = sum(seen.values())
        count = seen.get(letter, 0)
        left = sum((discounts[min(c, 3)] for c in seen.values()), Fraction(0)) / total
        return (count - discounts[min(count, 3)]) / total + left * lower


@pytest.mark.parametrize(("order", "estimated"), [(1, False), (2, True), (3, True), (5, True)])
def test_mkn_equals_a_slow_implementation(order: int, estimated: bool) -> None:
    V = 12
    rng = np.random.default_rng(5)
    ids = rng.zipf(1.5, 1500) % V
    slow = SlowKneserNey(ids.tolist(), V, order)
    fallback = [0, Fraction(1, 2), 1, Fraction(3, 2)]
    assert (slow.discounts[order] != fallback) == estimated  # both ways to a discount are tried
    model = fit_ngram(ids, V, NgramConfig(order=order, smoothing="mkn"))
    text = rng.zipf(1.5, 60) % V
    logits, _ = model(torch.from_numpy(text)[None])
    history = (-1,) * order + tuple(text.tolist())
    for t in range(len(text)):
        context = history[t + 2 : t + order + 1]
        expected = [float(slow.probability(context, letter)) for letter in range(V)]
        assert logits[0, t].exp().tolist() == pytest.approx(expected, rel=1e-5)


REFERENCE = [
    # Bits per character on Tiny Shakespeare's validation part. mkn: KenLM's lmplz --discount_fallback gives the same.
    ("mkn", 3, 2.940),
    ("mkn", 4, 2.480),
    ("mkn", 5, 2.252),
    ("mkn", 6, 2.197),
    ("mkn", 7, 2.188),
    ("mkn", 8, 2.192),
    ("mkn", 9, 2.196),
    ("tuned", 9, 2.143),
    ("kn", 7, 2.258),
    ("witten-bell", 5, 2.408),
    ("stupid", 6, 2.345),
]


@pytest.mark.parametrize(("smoothing", "order", "bits"), REFERENCE)
def test_smoothing_on_tiny_shakespeare_scores_the_reference(
    tiny_shakespeare_corpus: Corpus, smoothing: str, order: int, bits: float
) -> None:
    corpus = tiny_shakespeare_corpus
    config = NgramConfig(order=order, smoothing=smoothing)
    model = fit_ngram(corpus.train.ids, len(corpus.vocabulary), config)
    score = evaluate(model, corpus.validation, piece=1 << 15)
    assert score.characters == 111_540
    assert score.bits_per_char == pytest.approx(bits, abs=0.001)


@pytest.mark.parametrize(("order", "share"), [(5, 0.073), (7, 0.201)])
def test_ml_on_tiny_shakespeare_finds_a_share_impossible(
    tiny_shakespeare_corpus: Corpus, order: int, share: float
) -> None:
    corpus = tiny_shakespeare_corpus
    model = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig(order=order, smoothing="ml"))
    score = evaluate(model, corpus.validation, piece=1 << 15)
    assert score.bits_per_char == float("inf")
    assert score.impossible_share == pytest.approx(share, abs=0.0005)


def test_tuned_on_tiny_shakespeare_sums_to_one(tiny_shakespeare_corpus: Corpus) -> None:
    """In every context of the first 30,000 characters of the validation set."""
    corpus = tiny_shakespeare_corpus
    model = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig())
    worst, state = 0.0, None
    for ids in np.array_split(corpus.validation.ids[:30_000].astype(np.int64), 2):
        logits, state = model(torch.from_numpy(ids)[None], state)
        worst = max(worst, (logits.exp().double().sum(-1) - 1).abs().max().item())
    assert worst < 1e-5
