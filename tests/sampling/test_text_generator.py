"""The options of `charrnn sample` in the Python API."""

import pytest

import charrnn
from charrnn.config import NgramConfig, SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.pipeline.text_generator import TextGenerator
from charrnn.sampling.state import GenerationState

CONFIG = SamplingConfig(length=30, seed=5)


@pytest.fixture(scope="module")
def model(small_text: str) -> charrnn.TextModel:
    return charrnn.fit(small_text, NgramConfig(order=4))


@pytest.fixture(scope="module")
def other(small_text: str) -> charrnn.TextModel:
    return charrnn.fit(small_text, NgramConfig(order=2))


def test_best_of_is_the_likeliest_of_the_texts(model: charrnn.TextModel) -> None:
    generator = TextGenerator(model.checkpoint, CONFIG, "to ")
    steps: list[int] = []
    begin, end = generator.best_of(4, steps.append)
    assert sum(steps) == 4 * 30
    assert generator.text_between(begin, end) == model.sample("to ", CONFIG, seed=end.seed)
    bits = [generator.as_json(begin, text)["bits_per_char"] for text in _ends(generator, 4)]
    assert generator.as_json(begin, end)["bits_per_char"] == min(bits)


def test_beam_search_is_at_least_as_likely_as_greedy(model: charrnn.TextModel) -> None:
    generator = TextGenerator(model.checkpoint, CONFIG, "to ")
    (begin,) = generator.begins()
    *_, result = generator.beam_search(begin, 8)
    assert result is not None
    greedy = TextGenerator(model.checkpoint, SamplingConfig(length=30, temperature=0), "to ")
    (end,) = _ends(greedy, 1)
    assert -result.log_prob / 30 <= greedy.as_json(begin, end)["nats_per_char"] + 1e-9


def test_mixed_checkpoints_average_and_are_named(model: charrnn.TextModel, other: charrnn.TextModel) -> None:
    config = SamplingConfig(length=30, seed=5, top_k=100)  # n-grams draw as all others then, by their logits
    mixed = TextGenerator(model.checkpoint, config, "to ", mixed=[(other.checkpoint, 0.3)])
    assert "(70%) and" in mixed.description
    (begin,), (end,) = mixed.begins(), _ends(mixed, 1)
    assert mixed.as_json(begin, end)["mix"] == [{"checkpoint": "text-tuned-2", "weight": 0.3}]
    nearly_other = TextGenerator(model.checkpoint, config, "to ", mixed=[(other.checkpoint, 0.9999999)])
    (end,) = _ends(nearly_other, 1)
    assert nearly_other.text_between(begin, end) == other.sample("to ", config)


def test_mixed_checkpoints_that_do_not_fit_raise(model: charrnn.TextModel) -> None:
    with pytest.raises(UsageError, match="leaves no weight for the first model"):
        TextGenerator(model.checkpoint, CONFIG, mixed=[(model.checkpoint, 1.0)])
    stranger = charrnn.fit("xyz " * 50, NgramConfig(order=2))
    with pytest.raises(ModelError, match="has a different vocabulary"):
        TextGenerator(model.checkpoint, CONFIG, mixed=[(stranger.checkpoint, 0.5)])


def _ends(generator: TextGenerator, count: int) -> list[GenerationState]:
    ends: list[GenerationState] = []
    for batch in generator.batches(generator.begins(count)):
        while not batch.finished:
            batch.step()
        ends += batch.states
    return ends
