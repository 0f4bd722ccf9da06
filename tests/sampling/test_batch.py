"""Texts generated in parallel equal those generated alone with the same seed, even with pauses."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig, SamplingConfig
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.batch import BatchGenerator
from charrnn.sampling.generate import start_batch
from charrnn.sampling.state import GenerationState
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("\nabc")


def make_model(kind: str) -> LanguageModel:
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=8), 4).eval()
    with torch.no_grad():
        network.head.weight.mul_(6)
    ngrams = fit_ngram(np.random.default_rng(0).integers(0, 4, 200), 4, NgramConfig(order=4))
    models = {"network": network, "ngrams": ngrams, "both": InterpolatedModel([network, ngrams], [0.4, 0.6])}
    return models[kind]


def run(batch: BatchGenerator) -> list[str]:
    while not batch.finished:
        batch.step()
    return [sequence.text for sequence in batch.sequences]


@pytest.mark.parametrize("kind", ["network", "ngrams", "both"])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.8, "top_p": 0.9}, {"temperature": 0.6}])
def test_batch_with_pauses_continues_as_without(kind: str, settings: dict[str, float]) -> None:
    """Three texts in parallel, each alone, and all of them paused and continued twice."""
    model = make_model(kind)

    def config(length: int, seed: int = 5) -> SamplingConfig:
        return SamplingConfig(length=length, seed=seed, **settings)  # type: ignore[arg-type]

    whole = run(start_batch(model, LETTERS, config(60), "ab", count=3))
    assert len(set(whole)) == 3
    assert whole == [run(start_batch(model, LETTERS, config(60, 5 + i), "ab"))[0] for i in range(3)]
    states: Sequence[GenerationState] = start_batch(model, LETTERS, config(0), "ab", count=3).states
    for length in (17, 1, 42):
        batch = BatchGenerator(model, LETTERS, config(length), states)
        texts = run(batch)
        states = batch.states
    assert texts == whole
