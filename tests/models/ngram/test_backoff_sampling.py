"""Sampling by back-off compared with the distribution, which it never computes."""

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig, SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.stepper import Logits, Sampler, TemperatureSampler, Tokens, make_stepper
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import make_sampler
from charrnn.text.vocabulary import Vocabulary

V, ORDER = 8, 4
IDS = np.random.default_rng(0).zipf(1.4, 500) % (V - 1)  # the last character never occurs
CONTEXTS = [[], [0], [1, 2, 0], [6, 6, 6], [7, 3, 0, 1]]


def model(smoothing: str = "mkn") -> NgramModel:
    fitted = fit_ngram(IDS, V, NgramConfig(order=ORDER, smoothing=smoothing))
    assert isinstance(fitted, NgramModel)
    return fitted


def draw_of(batch: int = 1, **settings: float) -> Sampler:
    return make_sampler(SamplingConfig(**settings), CounterRNG(range(batch)), Vocabulary("abcdefgh"))  # type: ignore[arg-type]


def written(one: NgramModel, first: int, count: int, draw: Sampler) -> list[int]:
    step, token, actual = make_stepper(one), np.array([first]), []
    for _ in range(count):
        token = step.draw_next(token, draw)
        actual.append(int(token[0]))
    return actual


class Grid(TemperatureSampler):
    """A sampler at temperature 1 with evenly spaced random numbers, so that frequencies are probabilities."""

    temperature = 1.0

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, logits: Logits) -> Tokens:
        raise AssertionError("no distribution is needed")

    def uniform(self, row: int) -> float:
        return (row + 0.5) / self.count

    def uniforms(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return (np.arange(self.count) + 0.5) / self.count

    def peek(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        raise AssertionError("none is wanted ahead")


@pytest.mark.parametrize("smoothing", ["mkn", "kn", "witten-bell", "tuned", "ml"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_draw_next_on_a_grid_of_random_numbers_gives_the_probabilities(smoothing: str, context: list[int]) -> None:
    """Random numbers on a grid remove chance: each interval is off by less than one step."""
    one, count = model(smoothing), 4000
    tokens = torch.tensor([[0, *context]])
    logits, _ = one(tokens)
    _, state = one(tokens[:, :-1]) if context else (None, None)
    states = None if state is None else tuple(part.expand(count, -1) for part in state)
    drawn = make_stepper(one, states, count).draw_next(tokens[0, -1:].expand(count).numpy(), Grid(count))
    shares = torch.bincount(torch.from_numpy(drawn), minlength=V) / count
    torch.testing.assert_close(shares, logits[0, -1].exp(), atol=(ORDER + 2) / count, rtol=0)


@pytest.mark.parametrize("smoothing", ["mkn", "tuned", "stupid"])
@pytest.mark.parametrize("temperature", [1.0, 0.8, 0.5, 0.2, 1.5])
def test_draw_next_of_one_text_fits_the_distribution(smoothing: str, temperature: float) -> None:
    """The characters generated after each context fit p^(1/T), by Pearson's statistic summed over contexts."""
    one = model(smoothing)
    text = [0, *written(one, 0, 8_000, draw_of(temperature=temperature))]
    logits, _ = one(torch.tensor([text[:-1]]))
    statistic, freedom = _chi_squared((logits[0].double() / temperature).softmax(-1), text[1:])
    assert freedom > 10
    # The statistic is about normal with this mean and variance.
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < 4


def test_draw_next_of_a_batch_fits_the_distribution() -> None:
    one, draw = model(), draw_of(200)
    step, token, columns = make_stepper(one, None, 200), np.zeros(200, np.int64), []
    for _ in range(60):
        token = step.draw_next(token, draw)
        columns.append(torch.from_numpy(token))
    text = torch.stack(columns, dim=1)
    logits, _ = one(torch.cat((torch.zeros(200, 1, dtype=torch.int64), text[:, :-1]), dim=1))
    statistic, freedom = _chi_squared(logits.double().softmax(-1).flatten(0, 1), text.flatten().tolist())
    assert freedom > 10
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < 4


def _chi_squared(probabilities: torch.Tensor, drawn: list[int]) -> tuple[float, int]:
    """Pool positions with the same distribution; merge cells with fewer than five expected counts."""
    different, of = torch.unique(probabilities, dim=0, return_inverse=True)
    statistic, freedom = 0.0, 0
    seen = torch.zeros(len(different), V).index_put((of, torch.tensor(drawn)), torch.ones(len(drawn)), accumulate=True)
    for p, counts in zip(different, seen, strict=True):
        expected = p * counts.sum()
        large = expected >= 5
        cells = [*zip(expected[large].tolist(), counts[large].tolist(), strict=True)]
        rest = float(expected[~large].sum()), float(counts[~large].sum())
        assert rest[0] > 0 or rest[1] == 0, "drew what has probability 0"
        cells += [rest] if rest[0] >= 5 else []
        if len(cells) > 1:
            statistic += sum((count - mean) ** 2 / mean for mean, count in cells)
            freedom += len(cells) - 1
    return statistic, freedom


def test_stepper_from_a_state_continues_it() -> None:
    one = model()
    _, state = one(torch.tensor([[3, 1, 0]]))
    step, token = make_stepper(one, state), np.array([2])
    for _ in range(30):
        log_probs, state = one(torch.from_numpy(token)[:, None], state)
        token = step.draw_next(token, lambda logits: logits.argmax(-1))
        assert token[0] == log_probs[0, 0].argmax()
        assert torch.equal(step.state[0], state[0])  # type: ignore[index]


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.4])
def test_draw_next_of_a_batch_gives_each_text_what_it_gets_alone(temperature: float) -> None:
    """At temperature 1, a batch is sampled by another method, with the same random numbers."""
    one, batch = model(), 20
    step, tokens, draw, actual = make_stepper(one, None, batch), np.zeros(batch, np.int64), None, []
    draw = draw_of(batch, temperature=temperature)
    for _ in range(50):
        tokens = step.draw_next(tokens, draw)
        actual.append(tokens)
    for row in range(batch):
        alone = make_sampler(SamplingConfig(temperature=temperature), CounterRNG([row]), Vocabulary("abcdefgh"))
        assert written(one, 0, 50, alone) == [int(tokens[row]) for tokens in actual]


def test_draw_next_of_a_certain_character_gives_it() -> None:
    cycle = fit_ngram(np.tile(np.arange(4), 50), 4, NgramConfig(order=3, smoothing="ml"))
    assert isinstance(cycle, NgramModel)
    assert written(cycle, 3, 8, make_sampler(SamplingConfig(), CounterRNG([0]), Vocabulary("abcd"))) == [0, 1, 2, 3] * 2


@pytest.mark.parametrize(("name", "value"), [("tokens", V + 3), ("starts", 10**6), ("starts", -5)])
def test_draw_next_of_a_damaged_model_raises_model_error(name: str, value: int) -> None:
    """A model too large to be checked on loading may contain anything; numpy keeps look-ups in bounds."""
    one = model()
    array = getattr(one.orders[1], name).astype(np.int64)
    array[1:] = value
    object.__setattr__(one.orders[1], name, array)
    with pytest.raises(ModelError, match="the n-gram file is damaged"):
        written(one, 0, 2000, draw_of())
