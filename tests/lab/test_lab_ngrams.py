"""`charrnn lab ngrams`: its measurements match the models' own scores."""

import numpy as np
import pytest

from charrnn.config import NgramConfig
from charrnn.lab.experiment import LabContext
from charrnn.lab.ngrams import SIZES, SMOOTHINGS, best_floor, floored_bits, run
from charrnn.models.ngram.fit import fit_ngram
from charrnn.scoring.evaluate import evaluate
from charrnn.scoring.novelty import TrainingText
from charrnn.scoring.surprisal import surprisals
from charrnn.text.corpus import Corpus

SIZE = SIZES["tiny"]


def test_ngrams_figures_match_the_models(small_corpus: Corpus) -> None:
    result = run(LabContext(small_corpus), SIZE)
    rows = {(row["order"], row["smoothing"]): row for row in result.rows}
    assert set(rows) == {(k, smoothing) for k in SIZE.orders for smoothing in SMOOTHINGS} | {(None, "held-out")}
    for (order, smoothing), row in rows.items():
        if order:
            config = NgramConfig(order, smoothing)
            score = evaluate(
                fit_ngram(small_corpus.train.ids, len(small_corpus.vocabulary), config), small_corpus.validation
            )
            assert row["bits_per_char"] == (None if score.impossible else score.bits_per_char)
            assert row["impossible_share"] == score.impossible_share
        assert (row["novel_20"] is None) == (smoothing == "mkn")
    training = TrainingText(small_corpus.train.ids, small_corpus.vocabulary)
    reference = training.judge(small_corpus.validation.ids[: SIZE.length])
    assert rows[None, "held-out"]["longest_copy"] == reference.longest_copy
    assert run(LabContext(small_corpus), SIZE).rows == result.rows


def test_best_floor_is_the_minimum() -> None:
    probabilities = np.array([0.0, 0.5, 0.9, 0.25])
    floor = best_floor(probabilities, 10)
    bits = [floored_bits(probabilities, 10, floor + step) for step in (-1e-3, 0, 1e-3)]
    assert bits[1] == min(bits)
    assert floored_bits(np.full(3, 0.5), 10, 0.0) == pytest.approx(1)
    assert best_floor(np.full(3, 0.5), 10) == pytest.approx(0, abs=1e-9)


def test_ngrams_on_tiny_shakespeare_match_the_reference(tiny_shakespeare_corpus: Corpus) -> None:
    """Reference values from other programs: zeros and the best floor of Goldberg's counts after 4 characters."""
    corpus = tiny_shakespeare_corpus
    model = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig(5, "ml"))
    probabilities = np.exp(-surprisals(model, corpus.validation))
    assert (probabilities == 0).mean() == pytest.approx(0.073, abs=5e-4)
    floor = best_floor(probabilities, 65)
    assert floored_bits(probabilities, 65, floor) == pytest.approx(2.525, abs=5e-4)
