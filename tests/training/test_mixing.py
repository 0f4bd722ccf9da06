"""A network and counts, mixed."""

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig, TrainingConfig
from charrnn.models.ngram.fitting import fit_ngram
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus
from charrnn.text.streams import Streams
from charrnn.training.loop import train
from charrnn.training.mixing import Mixing, divide, score_of_mean

ORDER_4 = NgramConfig(order=4)


def test_the_tail_is_kept_from_both() -> None:
    ids = np.arange(100_000)
    head, tail = divide(ids, vocab_size=65)
    assert np.array_equal(np.concatenate((head, tail)), ids)
    assert len(tail) == 3000
    assert len(divide(ids[:40], 65).tail) == 10
    assert len(divide(ids, vocab_size=100_000).tail) == 500


def test_the_mixture_is_better_than_its_parts(small_corpus: Corpus) -> None:
    size = len(small_corpus.vocabulary)
    mixing = Mixing(small_corpus.train, size, ORDER_4)
    config = TrainingConfig(steps=150, seq_length=16, batch_size=8, validate_every=150)
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=32), size)
    *_, last = train(network, Streams(mixing.head, 8, 16), small_corpus.validation, config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    mixture = mixing.finish(network, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    whole = fit_ngram(small_corpus.train, size, ORDER_4)
    counts = evaluate(whole, small_corpus.validation)
    assert evaluate(mixture.counts, small_corpus.validation) == counts  # the counts have taken the tail in
    mixed = evaluate(mixture, small_corpus.validation)
    assert last.score
    assert mixed.nats < min(counts.nats, last.score.nats)


def test_the_same_seed_gives_the_same_gate(small_corpus: Corpus) -> None:
    size = len(small_corpus.vocabulary)
    network = RecurrentModel(ModelConfig(hidden_size=8), size).eval()
    mixing = Mixing(small_corpus.train, size, ORDER_4)
    first, second, other = (mixing.finish(network, seed).gate[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, second)  # type: ignore[arg-type]
    assert not torch.equal(first, other)  # type: ignore[arg-type]


def test_a_mean_by_hand(small_corpus: Corpus) -> None:
    """Of a model and itself it is that model; of two, each character's is the mean."""
    size = len(small_corpus.vocabulary)
    part = small_corpus.validation[:50]
    one, other = (fit_ngram(small_corpus.train, size, NgramConfig(order=k)) for k in (2, 3))
    same = score_of_mean(((one, 0.3), (one, 0.7)), part)
    assert same.nats == pytest.approx(evaluate(one, part).nats)
    tokens = torch.from_numpy(part.astype(np.int64))
    p, q = (model(tokens[None, :-1])[0][0].softmax(-1) for model in (one, other))
    expected = -(0.3 * p + 0.7 * q).gather(1, tokens[1:, None]).log().sum() + np.log(size)
    assert score_of_mean(((one, 0.3), (other, 0.7)), part).nats == pytest.approx(float(expected), rel=1e-5)
