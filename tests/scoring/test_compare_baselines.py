"""The baselines of a comparison: n-gram models, and the interpolation of two models."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn.checkpoint import Checkpoint, Model, save
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import ModelConfig, NgramConfig
from charrnn.errors import ModelError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import next_log_probs
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.compare.baselines import interpolate, missing_ngrams
from charrnn.scoring.evaluate import evaluate, score_from_log_probs
from charrnn.scoring.held_out import choose_split
from charrnn.scoring.online import as_online_model, supports_online
from charrnn.scoring.surprisal import surprisals
from charrnn.text.corpus import Corpus


def of(corpus: Corpus, model: Model) -> Checkpoint:
    return Checkpoint(
        model, corpus.vocabulary, Metadata(DatasetInfo.of(corpus), 1.5, "cpu"), Path("one.safetensors"), 100
    )


@pytest.fixture
def both(small_corpus: Corpus) -> tuple[Checkpoint, Checkpoint]:
    """An untrained network, and an n-gram model."""
    size = len(small_corpus.vocabulary)
    network = RecurrentModel(ModelConfig(hidden_size=8), size).eval()
    counts = fit_ngram(small_corpus.train.ids, size, NgramConfig(order=4, smoothing="mkn"))
    return of(small_corpus, network), of(small_corpus, counts)


def test_interpolate_gives_the_weighted_mean(both: tuple[Checkpoint, Checkpoint], small_corpus: Corpus) -> None:
    """Through the logits, and through the faster way of n-gram models."""
    network, counts = both
    blend, ids = interpolate(network, counts, 0.6), small_corpus.validation.ids[:300]
    p, q = (np.exp(-surprisals(checkpoint.model, ids)) for checkpoint in both)
    np.testing.assert_allclose(np.exp(-surprisals(blend.model, ids)), 0.6 * p + 0.4 * q, rtol=1e-4)
    tokens = torch.from_numpy(ids[:20].astype(np.int64)).view(2, 10)
    logits, state = blend.model(tokens)
    slow = torch.log_softmax(logits[:, :-1], -1).gather(-1, tokens[:, 1:, None])[..., 0]
    fast, after = next_log_probs(blend.model, tokens[:, :-1], tokens[:, 1:])
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)
    assert len(after) == len(state)
    torch.testing.assert_close(blend.model(tokens[:, -1:], after)[0], logits[:, -1:])


def test_interpolate_gives_a_checkpoint_of_both(both: tuple[Checkpoint, Checkpoint], small_corpus: Corpus) -> None:
    blend = interpolate(*both, share=0.6)
    assert (blend.kind, blend.description) == ("mixture", "60% lstm 2x8, 40% mkn order 4")
    assert (blend.size, blend.metadata.fit_seconds, blend.name) == (200, 3.0, "one+one")
    assert isinstance(both[0].model, RecurrentModel)
    assert isinstance(blend.model, InterpolatedModel)
    assert blend.model.parameter_count == both[0].model.parameter_count
    assert blend.model.entries
    assert choose_split([*both], small_corpus).part == "validation"


def test_interpolated_model_cannot_be_saved(both: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    mean = interpolate(*both)
    with pytest.raises(ModelError, match="a weighted mean of models cannot be saved"):
        save(tmp_path / "mean.safetensors", mean.model, mean.vocabulary, mean.metadata)
    assert not list(tmp_path.glob("mean*"))


def test_missing_ngrams_are_those_not_among_the_models(
    both: tuple[Checkpoint, Checkpoint], small_corpus: Corpus
) -> None:
    assert [str(config) for config in missing_ngrams(both, False)] == ["tuned order 9", "mkn order 9", "ml order 9"]
    counted = fit_ngram(small_corpus.train.ids, len(small_corpus.vocabulary), NgramConfig(order=8, smoothing="mkn"))
    for_bytes = missing_ngrams([of(small_corpus, counted)], True)
    assert [str(config) for config in for_bytes] == ["tuned order 8", "ml order 8"]
    assert [str(config) for config in missing_ngrams(both, False, ("tuned",))] == ["tuned order 9"]


def test_online_model_of_each_kind_scores_a_text(both: tuple[Checkpoint, Checkpoint], small_corpus: Corpus) -> None:
    size, train, ids = len(small_corpus.vocabulary), small_corpus.train.ids, small_corpus.validation.ids[:200]
    for smoothing, is_supported in (("mkn", True), ("ml", True), ("stupid", False), ("longest", False)):
        order = None if smoothing == "longest" else 3
        assert supports_online(fit_ngram(train, size, NgramConfig(order=order, smoothing=smoothing))) is is_supported
    for checkpoint in both:
        assert supports_online(checkpoint.model)
        log_probs = as_online_model(checkpoint.model, train).online_log_probs(ids)
        score = score_from_log_probs(log_probs, size)
        assert (score.characters, score.impossible) == (200, 0)
        assert score.nats == pytest.approx(math.log(size) - log_probs.sum())
    assert score_from_log_probs(np.array([-1.0, -math.inf]), 2).impossible == 1
    assert evaluate(both[1].model, ids).characters == 200
