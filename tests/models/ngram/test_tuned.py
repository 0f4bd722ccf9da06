"""Fitting the discounts of `tuned`: the held-out part, and the improvement."""

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.models.ngram.counting.count import count_ngrams
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import interpolate, smooth
from charrnn.models.ngram.smoothing.discounts import modified_kneser_ney, witten_bell
from charrnn.models.ngram.smoothing.tuned import FEATURES, discounts_from, fit_discounts, held_out_observations
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus

V, ORDER = 7, 4
IDS = np.random.default_rng(0).zipf(1.5, 900) % V


@pytest.mark.parametrize("length", [1, 60, 450])
def test_held_out_observations_equal_counts_without_the_held_out_part(length: int) -> None:
    """Equal to a model of the text before the held-out part."""
    orders = count_ngrams(IDS, V, ORDER)
    discounts = witten_bell(orders)  # which depend on the number of types and on the counts
    actual = interpolate(held_out_observations(IDS, length, orders), discounts, length, V)
    before = IDS[: len(IDS) - length]
    model = NgramModel(NgramConfig(order=ORDER), V, smooth(count_ngrams(before, V, ORDER), discounts))
    text = torch.from_numpy(IDS)[None]
    log_probs, _ = model.next_log_probs(text[:, :-1], text[:, 1:], None)
    torch.testing.assert_close(actual.log().float(), log_probs[0, -length:], atol=1e-5, rtol=1e-5)


def test_discounts_from_parameters_follow_the_formula() -> None:
    parameters = torch.zeros(1, 4, FEATURES, dtype=torch.double)
    known = torch.tensor([[2.0], [1.0], [1.0], [9.0]], dtype=torch.double)
    assert discounts_from(parameters)(1, known).flatten().tolist() == pytest.approx([0.5, 1, 1.5, np.log(2)])
    parameters[0, 0] = torch.tensor([1.0, 2.0, 4.0])  # with the log of 4 types, and half of them seen once
    expected = 1 / (1 + np.exp(-(1 + 2 * np.log(4) + 4 * 0.5)))
    assert discounts_from(parameters)(1, known)[0].item() == pytest.approx(expected)


def test_fit_discounts_of_a_short_text_gives_the_prior() -> None:
    ids = np.array([0, 1, 0])
    orders = count_ngrams(ids, 2, 3)
    levels = smooth(orders, fit_discounts(orders, ids, 2))
    assert all(np.isfinite(level.weights).all() for level in levels)


def test_fit_discounts_reports_progress() -> None:
    told: list[tuple[int, int]] = []
    fit_discounts(count_ngrams(IDS, V, 2), IDS, V, lambda done, total: told.append((done, total)))
    assert told[0][0] == 1
    assert told[-1][0] <= told[-1][1]


def test_fit_discounts_scores_better_than_modified_kneser_ney(tiny_shakespeare_corpus: Corpus) -> None:
    """On the validation set, which fitting does not use; on a fifth of the text, for speed."""
    corpus = tiny_shakespeare_corpus
    ids, size = corpus.train.ids[:200_000], len(corpus.vocabulary)
    orders = count_ngrams(ids, size, 7)
    tuned, modified = [
        evaluate(
            NgramModel(NgramConfig(order=7), size, smooth(orders, fit(orders, ids, size))), corpus.validation, 1 << 15
        )
        for fit in (fit_discounts, modified_kneser_ney)
    ]
    assert tuned.bits_per_char < modified.bits_per_char - 0.02
