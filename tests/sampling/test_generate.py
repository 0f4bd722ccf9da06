"""Generating text after a prompt."""

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig, SamplingConfig
from charrnn.errors import TextError
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling import state
from charrnn.sampling.generate import generate
from charrnn.text.vocabulary import Vocabulary

ALPHABET = "\nabcdefghij"


@pytest.fixture
def cycle() -> LanguageModel:
    """A model trained on abcdefghij repeated, which can only continue the alphabet."""
    vocabulary = Vocabulary(ALPHABET)
    ids = vocabulary.encode("abcdefghij" * 30)
    return fit_ngram(ids, len(vocabulary), NgramConfig(order=2, smoothing="ml"))


def text(model: LanguageModel, prime: str = "", **settings: float) -> str:
    config = SamplingConfig(**settings)  # type: ignore[arg-type]
    return "".join(generate(model, Vocabulary(ALPHABET), config, prime))


def test_generate_continues_the_prompt(cycle: LanguageModel) -> None:
    assert text(cycle, "xyz".replace("xyz", "bcd"), length=8) == "efghijab"


def test_generate_long_prompt_is_read_in_chunks(cycle: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "CHUNK_CHARS", 7)
    for length in (1, 6, 7, 8, 9, 14, 15, 16):
        prime = ("abcdefghij" * 3)[:length]
        assert text(cycle, prime, length=1) == "abcdefghij"[length % 10]


def test_generate_without_prompt_starts_as_after_a_line_end() -> None:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), len(ALPHABET)).eval()
    assert text(model, length=30, seed=3) == text(model, "\n", length=30, seed=3)


def test_generate_depends_on_the_seed() -> None:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), len(ALPHABET)).eval()
    assert text(model, length=50, seed=1) == text(model, length=50, seed=1)
    assert text(model, length=50, seed=1) != text(model, length=50, seed=2)
    assert text(model, length=50) != text(model, length=50)  # a new seed each time


def test_generate_unknown_prompt_raises_before_the_first_character(cycle: LanguageModel) -> None:
    with pytest.raises(TextError, match="'Z'"):
        generate(cycle, Vocabulary(ALPHABET), SamplingConfig(), "aZ")
    assert "".join(generate(cycle, Vocabulary(ALPHABET), SamplingConfig(length=2), "aZ", "skip")) == "bc"


def test_generate_bytes_yields_whole_characters() -> None:
    vocabulary = Vocabulary(None)
    ids = vocabulary.encode("né" * 200)
    model = fit_ngram(ids, 256, NgramConfig(order=3, smoothing="ml"))
    pieces = list(generate(model, vocabulary, SamplingConfig(length=6), "né"))
    assert pieces == ["n", "", "é", "n", "", "é"]


def test_generate_leaves_gradients_enabled_for_the_caller(cycle: LanguageModel) -> None:
    stream = generate(cycle, Vocabulary(ALPHABET), SamplingConfig(length=5), "a")
    next(stream)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_generate_long_text_follows_the_distribution() -> None:
    """A unigram model generates characters with the frequencies of its training text."""
    vocabulary = Vocabulary(ALPHABET)
    counts = np.arange(len(ALPHABET)) + 1
    ids = np.repeat(np.arange(len(ALPHABET)), counts)
    model = fit_ngram(ids, len(vocabulary), NgramConfig(order=1, smoothing="ml"))
    written = text(model, length=5000, seed=0)
    actual = np.array([written.count(character) for character in ALPHABET]) / 5000
    np.testing.assert_allclose(actual, counts / counts.sum(), atol=0.02)
