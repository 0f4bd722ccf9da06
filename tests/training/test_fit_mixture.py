"""Mixtures of a network and n-grams."""

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig, TrainingConfig
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.fit_mixture import MixtureTrainer, hold_out_blocks
from charrnn.training.loop import train

ORDER_4 = NgramConfig(order=4)


@pytest.mark.parametrize("length", [40, 3000, 100_000, 1_000_000])
def test_held_out_blocks_are_disjoint_from_the_rest(length: int) -> None:
    """Blocks and rest together are the text; each block follows its context, and the last block is the end."""
    ids = np.arange(length)
    held_out = hold_out_blocks(ids, vocab_size=65)
    blocks = held_out.blocks[:, held_out.context :]
    assert np.array_equal(np.sort(np.concatenate((held_out.rest, blocks.ravel()))), ids)
    assert (np.diff(held_out.blocks, axis=1) == 1).all()
    assert held_out.blocks[-1, -1] == length - 1
    assert held_out.characters == blocks.size
    assert 1 <= held_out.context <= 256
    assert held_out.characters == {40: 10, 3000: 500, 100_000: 3000, 1_000_000: 30_000}[length]


def test_held_out_blocks_of_large_inputs_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hold_out_blocks(np.arange(100_000), vocab_size=100_000).characters == 500
    monkeypatch.setattr("charrnn.training.fit_mixture.MAX_COPIED", 50_000)
    ids = np.arange(100_000)
    held_out = hold_out_blocks(ids, vocab_size=65)
    assert held_out.blocks.shape == (1, 256 + 3000)
    assert np.shares_memory(held_out.rest, ids)


def test_mixture_scores_better_than_its_parts(small_corpus: Corpus) -> None:
    size = len(small_corpus.vocabulary)
    trainer = MixtureTrainer(small_corpus.train.ids, size, ORDER_4)
    config = TrainingConfig(steps=150, seq_length=16, batch_size=8, validate_every=150)
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=32), size)
    *_, last = train(network, Streams(trainer.held_out.rest, 8, 16), small_corpus.validation, config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    mixture = trainer.finish(network, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    whole = fit_ngram(small_corpus.train.ids, size, ORDER_4)
    ngram_score = evaluate(whole, small_corpus.validation)
    assert evaluate(mixture.ngrams[0], small_corpus.validation) == ngram_score  # the n-grams include the blocks
    score = evaluate(mixture, small_corpus.validation)
    assert last.score
    assert score.nats < min(ngram_score.nats, last.score.nats)


def test_gate_with_same_seed_is_bit_exact(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 20)
    size = len(small_corpus.vocabulary)
    network = RecurrentModel(ModelConfig(hidden_size=8), size).eval()
    trainer = MixtureTrainer(small_corpus.train.ids[:3000], size, ORDER_4)
    first, second, other = (trainer.finish(network, seed).gate[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, second)  # type: ignore[arg-type]
    assert not torch.equal(first, other)  # type: ignore[arg-type]


def test_interpolated_model_score_equals_direct_computation(small_corpus: Corpus) -> None:
    """A model interpolated with itself is the same model; with another, probabilities are averaged."""
    size = len(small_corpus.vocabulary)
    part = small_corpus.validation.ids[:50]
    bigrams, trigrams = (fit_ngram(small_corpus.train.ids, size, NgramConfig(order=k)) for k in (2, 3))
    same = evaluate(InterpolatedModel((bigrams, bigrams), (0.3, 0.7)), part)
    assert same.nats == pytest.approx(evaluate(bigrams, part).nats)
    tokens = torch.from_numpy(part.astype(np.int64))
    p, q = (model(tokens[None, :-1])[0][0].softmax(-1) for model in (bigrams, trigrams))
    expected = -(0.3 * p + 0.7 * q).gather(1, tokens[1:, None]).log().sum() + np.log(size)
    mean = evaluate(InterpolatedModel((bigrams, trigrams), (0.3, 0.7)), part)
    assert mean.nats == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("length", [300, 5000])
def test_mixture_on_little_text_is_hardly_worse_than_better_part(length: int, tiny_shakespeare_corpus: Corpus) -> None:
    """A gate with 178 weights, fitted to a few hundred characters, was once worse than both parts."""
    corpus = tiny_shakespeare_corpus
    ids, held_out = corpus.train.ids[:length], corpus.validation[:3000]
    size = len(corpus.vocabulary)
    trainer = MixtureTrainer(ids, size, NgramConfig())
    config = TrainingConfig(steps=60, seq_length=16, batch_size=4, validate_every=60)
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=32), size)
    *_, last = train(network, Streams(trainer.held_out.rest, 4, 16), held_out, config)
    mixture = trainer.finish(network, seed=0)
    assert last.score
    better = min(last.score.nats_per_char, evaluate(mixture.ngrams[0], held_out).nats_per_char)
    assert evaluate(mixture, held_out).nats_per_char < better + 0.02
