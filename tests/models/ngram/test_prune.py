"""Pruning rare n-grams."""

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.models.ngram.fit import NgramCounts, fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.trie import NOT_FOUND

V = 6
IDS = np.random.default_rng(0).zipf(1.5, 600) % V
TEXT = torch.from_numpy(np.random.default_rng(1).integers(0, V, 200))[None]


def pruned(most: int, smoothing: str = "mkn") -> NgramModel:
    model = fit_ngram(IDS, V, NgramConfig(order=5, smoothing=smoothing, prune=most))
    assert isinstance(model, NgramModel)
    return model


@pytest.mark.parametrize("smoothing", ["kn", "tuned", "witten-bell", "stupid"])
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_pruned_model_sums_to_one(smoothing: str, most: int) -> None:
    logits, _ = pruned(most, smoothing)(TEXT)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(1, 200), atol=1e-5, rtol=0)


def test_pruned_model_keeps_short_frequent_and_context_ngrams() -> None:
    """n-grams of one and two characters are kept; of the longer ones, frequent ones and contexts of these."""
    counts = NgramCounts.of(IDS, V, NgramConfig(order=5, smoothing="mkn")).orders
    most = 2
    sizes = [len(order.tokens) for order in pruned(most).orders]
    assert sizes[:2] == [len(order.tokens) for order in counts[:2]]
    assert sizes[4] == 1 + np.count_nonzero(counts[4].counts > most)
    assert sizes[2] < len(counts[2].tokens)
    assert pruned(0).entries > pruned(1).entries > pruned(2).entries
    assert [len(order.tokens) for order in pruned(1000).orders][2:] == [1, 1, 1]  # the padding


def test_prune_without_rare_ngrams_changes_nothing() -> None:
    """In a text where every n-gram of three characters is frequent and follows several characters."""
    ids = np.tile(np.random.default_rng(2).permutation(np.repeat(np.arange(2), 500)), 3)
    one, other = (fit_ngram(ids, 2, NgramConfig(order=3, smoothing="mkn", prune=most)) for most in (0, 1))
    text = torch.from_numpy(ids[:100])[None]
    torch.testing.assert_close(one(text[:, 5:])[0], other(text[:, 5:])[0])


def test_prune_moves_probability_to_the_order_below() -> None:
    whole, less = (
        NgramCounts.of(IDS, V, NgramConfig(order=3, smoothing="mkn", prune=most)).model().orders[2] for most in (0, 2)
    )
    for node in range(len(whole.backoffs)):
        kept = less.find(np.full(V + 1, node), np.arange(V + 1))
        first, end = whole.starts[node], whole.starts[node + 1]
        if first == end:
            continue
        lost = whole.weights[first:end].sum() - less.weights[kept[kept != NOT_FOUND]].sum()
        assert less.backoffs[node] == pytest.approx(whole.backoffs[node] + lost, abs=1e-6)
