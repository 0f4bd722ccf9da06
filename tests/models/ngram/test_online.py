"""Online scoring compared with a model that is fitted again for each character."""

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.models.ngram.counting.count import count_part, derive_orders
from charrnn.models.ngram.counting.keys import KeyCodec
from charrnn.models.ngram.counting.tables import merge
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import smooth
from charrnn.scoring.evaluate import evaluate, evaluate_online
from charrnn.text.corpus import Corpus

V, ORDER = 5, 3
RNG = np.random.default_rng(1)
TRAIN, TEXT = RNG.zipf(1.4, 80) % V, RNG.zipf(1.3, 60) % V


@pytest.mark.parametrize("smoothing", ["ml", "witten-bell", "kn", "mkn", "tuned"])
def test_online_log_probs_equal_models_of_all_text_before(smoothing: str) -> None:
    """The counts include the training text and this text; new n-grams count once, and so do their endings."""
    counted = NgramCounts.of(TRAIN, V, NgramConfig(order=ORDER, smoothing=smoothing))
    assert counted.discounts
    tables = [
        count_part(ids, 0, len(ids), KeyCodec(np.arange(V), V), ORDER)
        for ids in (TRAIN, *(TEXT[:t] for t in range(1, len(TEXT))))
    ]
    expected = []
    for t in range(1, len(TEXT)):
        texts = [TRAIN, TEXT[:t]]
        orders = derive_orders(merge([tables[0], tables[t]]), texts, counted.config.method.counts_occurrences)
        model = NgramModel(counted.config, V, smooth(orders, counted.discounts))
        logits, _ = model(torch.from_numpy(TEXT[:t])[None])
        expected.append(float(logits[0, -1, TEXT[t]]))
    assert counted.online_log_probs(TEXT).tolist() == pytest.approx(expected, abs=2e-5)


@pytest.mark.slow
def test_online_score_on_tiny_shakespeare_is_better_than_ppmd(tiny_shakespeare_corpus: Corpus) -> None:
    """PPMd of order 6 needs 2.026 bits: its code length for the whole text minus that for the training set."""
    corpus = tiny_shakespeare_corpus
    counted = NgramCounts.of(corpus.train.ids, len(corpus.vocabulary), NgramConfig())
    online = evaluate_online(counted, corpus.validation.ids)
    static = evaluate(counted.model(), corpus.validation, 1 << 15)
    assert online.characters == static.characters == 111_540
    assert static.bits_per_char < 2.145
    assert online.bits_per_char < 2.0
