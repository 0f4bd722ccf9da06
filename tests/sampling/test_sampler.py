"""From logits to characters."""

import numpy as np
import pytest

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.models.stepper import Logits, Sampler
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import make_sampler
from charrnn.text.vocabulary import Vocabulary

P = np.array([[0.5, 0.3, 0.15, 0.05]])
LETTERS = Vocabulary("abcd")
DRAWS = 6_000


class FakeContext:
    """A context that ends with the given ids."""

    allowed = None

    def __init__(self, *ids: int) -> None:
        self.ids = ids

    def recent(self, count: int) -> tuple[int, ...]:
        return self.ids[-count:]


def draw_of(config: SamplingConfig, seed: int = 0) -> Sampler:
    return make_sampler(config, CounterRNG([seed]), LETTERS, [FakeContext()])


def frequencies(logits: Logits, **settings: float | str) -> list[float]:
    draw = draw_of(SamplingConfig(**settings))  # type: ignore[arg-type]
    return (np.bincount([draw(logits)[0] for _ in range(DRAWS)], minlength=4) / DRAWS).tolist()  # type: ignore[no-any-return]


def test_sampler_at_temperature_one_draws_the_model_distribution() -> None:
    assert frequencies(np.log(P)) == pytest.approx(P[0].tolist(), abs=0.02)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_sampler_temperature_sharpens_and_flattens(temperature: float) -> None:
    expected = P[0] ** (1 / temperature)
    expected /= expected.sum()
    assert frequencies(np.log(P), temperature=temperature) == pytest.approx(expected.tolist(), abs=0.02)


@pytest.mark.parametrize("temperature", [0, 1e-40, 1e-300])
def test_sampler_near_temperature_zero_takes_the_likeliest(temperature: float) -> None:
    """Logits divided by 1e-40 were once infinite, and their softmax NaN."""
    draw = draw_of(SamplingConfig(temperature=temperature))
    assert {int(draw(1 + P)[0]) for _ in range(100)} == {0}


@pytest.mark.parametrize("settings", [{}, {"temperature": 0}, {"top_k": 2}])
@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_sampler_without_finite_logits_raises(value: float, settings: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="NaN or infinite logits"):
        draw_of(SamplingConfig(**settings))(np.full((1, 4), value))  # type: ignore[arg-type]


def test_sampler_never_draws_the_impossible() -> None:
    assert frequencies(np.array([[0.0, -np.inf, 0.0, -np.inf]]), temperature=5)[1::2] == [0, 0]


def test_sampler_with_largest_random_number_never_draws_the_impossible() -> None:
    class Last(CounterRNG):
        def next_all(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
            return np.array([np.nextafter(1, 0)])

    draw = make_sampler(SamplingConfig(), Last([0]), LETTERS)
    assert draw(np.array([[0.1, 0.2, 0.3, -np.inf]])).tolist() == [2]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_p": 0.7}, [0.625, 0.375, 0, 0]),
        ({"min_p": 0.5}, [0.625, 0.375, 0, 0]),
        ({"ban": "ac"}, [0, 6 / 7, 0, 1 / 7]),
        ({"allow": "da"}, [10 / 11, 0, 0, 1 / 11]),
        ({"allow": "abc", "ban": "b"}, [10 / 13, 0, 3 / 13, 0]),
        # The order: a is taken away before the two likeliest are looked for.
        ({"ban": "a", "top_k": 2}, [0, 2 / 3, 1 / 3, 0]),
        # Temperature comes before min-p: .3 / .5 is .6, its square root .77.
        ({"min_p": 0.7, "temperature": 2}, [0.564, 0.436, 0, 0]),
    ],
)
def test_sampler_applies_filters_in_order(settings: dict[str, float], expected: list[float]) -> None:
    assert frequencies(np.log(P), **settings) == pytest.approx(expected, abs=0.02)


def test_sampler_repetition_penalty_makes_recent_characters_less_likely() -> None:
    """.5 / 5 = .1 and .3 / 5 = .06: at temperature 0, the third character is chosen."""
    for past, window, expected in (((), 9, 0), ((0,), 9, 1), ((0, 1), 9, 2), ((0, 1), 1, 0), ((0, 0, 1), 2, 2)):
        config = SamplingConfig(temperature=0, repetition_penalty=5, repetition_window=window)
        assert make_sampler(config, CounterRNG([0]), LETTERS, [FakeContext(*past)])(np.log(P)).tolist() == [expected]


def test_sampler_of_batch_equals_each_row_alone() -> None:
    logits = np.random.default_rng(0).normal(size=(30, 4))
    for config in (SamplingConfig(), SamplingConfig(top_p=0.8, temperature=0.7)):
        together = make_sampler(config, CounterRNG(range(30)), LETTERS, [FakeContext()] * 30)(logits)
        assert together.tolist() == [int(draw_of(config, row)(logits[row : row + 1])[0]) for row in range(30)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"allow": "xyz"}, "no character is left to generate"),
        ({"allow": "a", "ban": "a"}, "no character is left to generate"),
        ({"ban": "abcd"}, "no character is left to generate"),
    ],
)
def test_sampler_without_allowed_characters_raises(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        draw_of(SamplingConfig(**settings))  # type: ignore[arg-type]


def test_sampler_of_bytes_bans_ascii_alone() -> None:
    bytes_ = Vocabulary(None)
    draw = make_sampler(SamplingConfig(ban="\x00", temperature=0), CounterRNG([0]), bytes_, [FakeContext()])
    assert draw(-np.arange(256.0)[None]).tolist() == [1]
    with pytest.raises(UsageError, match=r"--ban: the model generates bytes, and 'é' .* has several"):
        make_sampler(SamplingConfig(ban="é"), CounterRNG([0]), bytes_)


def test_sampler_with_impossible_allowed_characters_raises() -> None:
    with pytest.raises(ModelError, match=r"--allow, .*: every allowed character has probability 0 here"):
        draw_of(SamplingConfig(allow="b"))(np.array([[0.0, -np.inf, 0.0, 0.0]]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1}, "--temp -1: must be 0 or more"),
        ({"temperature": float("nan")}, "--temp nan"),
        ({"top_k": 0}, "--top-k 0: must be 1 or more"),
        ({"top_p": 0}, "--top-p 0: must be more than 0 and at most 1"),
        ({"top_p": 1.5}, "--top-p 1.5"),
        ({"min_p": 0}, "--min-p 0"),
        ({"repetition_penalty": 0}, "--repetition-penalty 0: must be more than 0"),
        ({"repetition_window": 0}, "--repetition-window 0"),
        ({"ban": ""}, "--ban '': must not be empty"),
        ({"until": ("a", "")}, "--until .*: must not be empty"),
        ({"length": -1}, "--length -1"),
    ],
)
def test_sampling_config_with_invalid_value_raises(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SamplingConfig(**values)  # type: ignore[arg-type]
