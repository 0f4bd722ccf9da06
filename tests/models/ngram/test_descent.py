"""Drawing by descent, against the distribution that it never spreads out."""

from itertools import islice

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig, SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import next_token, write
from charrnn.models.ngram.fitting import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.sampling.decoding import make_draw

V, ORDER = 8, 4
IDS = np.random.default_rng(0).zipf(1.4, 500) % (V - 1)  # the last character never occurs
CONTEXTS = [[], [0], [1, 2, 0], [6, 6, 6], [7, 3, 0, 1]]


def model(smoothing: str = "mkn") -> NgramModel:
    fitted = fit_ngram(IDS, V, NgramConfig(order=ORDER, smoothing=smoothing))
    assert isinstance(fitted, NgramModel)
    return fitted


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Grid:
    """A draw at temperature 1 whose random numbers are evenly spread: shares of them are probabilities."""

    temperature = 1.0

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        raise AssertionError("no distribution is needed")

    def uniform(self, count: int) -> torch.Tensor:
        return (torch.arange(count, dtype=torch.double) + 0.5) / count


@pytest.mark.parametrize("smoothing", ["mkn", "kn", "witten-bell", "tuned", "ml"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_shares_are_probabilities(smoothing: str, context: list[int]) -> None:
    """With random numbers on a grid there is no chance in it: each interval is off by less than a step."""
    one, count = model(smoothing), 4000
    tokens = torch.tensor([[0, *context]])
    logits, _ = one(tokens)
    _, state = one(tokens[:, :-1]) if context else (None, None)
    states = None if state is None else tuple(part.expand(count, -1) for part in state)
    drawn, _ = next_token(one, tokens[0, -1:].expand(count), states, Grid())
    shares = torch.bincount(drawn, minlength=V) / count
    torch.testing.assert_close(shares, logits[0, -1].exp(), atol=(ORDER + 2) / count, rtol=0)


@pytest.mark.parametrize("smoothing", ["mkn", "tuned", "stupid"])
@pytest.mark.parametrize("temperature", [1.0, 0.8, 0.5, 0.2, 1.5])
def test_chi_squared(smoothing: str, temperature: float) -> None:
    """What one stream writes after each context, against p^(1/T): Pearson's statistic, summed over contexts."""
    one = model(smoothing)
    draw = make_draw(SamplingConfig(temperature=temperature), generator())
    text = [0, *islice(write(one, 0, None, draw), 20_000)]
    logits, _ = one(torch.tensor([text[:-1]]))
    statistic, freedom = _chi_squared((logits[0].double() / temperature).softmax(-1), text[1:])
    assert freedom > 10
    # The statistic is about normal with this mean and variance.
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < 4


def test_chi_squared_of_a_batch() -> None:
    one, draw = model(), make_draw(SamplingConfig(), generator())
    token, state, columns = torch.zeros(200, dtype=torch.int64), None, []
    for _ in range(60):
        token, state = next_token(one, token, state, draw)
        columns.append(token)
    text = torch.stack(columns, dim=1)
    logits, _ = one(torch.cat((torch.zeros(200, 1, dtype=torch.int64), text[:, :-1]), dim=1))
    statistic, freedom = _chi_squared(logits.double().softmax(-1).flatten(0, 1), text.flatten().tolist())
    assert freedom > 10
    assert (statistic - freedom) / (2 * freedom) ** 0.5 < 4


def _chi_squared(probabilities: torch.Tensor, drawn: list[int]) -> tuple[float, int]:
    """Places with the same distribution are taken together; cells with fewer than five expected are joined."""
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


def test_a_stream_goes_on_from_a_state() -> None:
    one = model()
    _, state = one(torch.tensor([[3, 1, 0]]))
    found = write(one, 2, state, lambda logits: logits.argmax(-1))
    token = torch.tensor([2])
    for written in islice(found, 30):
        token, state = next_token(one, token, state, lambda logits: logits.argmax(-1))
        assert written == int(token)


def test_certainties_are_drawn() -> None:
    cycle = fit_ngram(np.tile(np.arange(4), 50), 4, NgramConfig(order=3, smoothing="ml"))
    draw = make_draw(SamplingConfig(), generator())
    assert list(islice(write(cycle, 3, None, draw), 8)) == [0, 1, 2, 3, 0, 1, 2, 3]


@pytest.mark.parametrize(("name", "value"), [("tokens", V + 3), ("starts", 10**6), ("starts", -5)])
def test_a_damaged_model_is_an_error(name: str, value: int) -> None:
    """A file too large to be looked through when it is loaded may hold anything; numpy keeps look-ups inside."""
    one = model()
    array = getattr(one.orders[1], name).astype(np.int64)
    array[1:] = value
    object.__setattr__(one.orders[1], name, array)
    draw = make_draw(SamplingConfig(), generator())
    with pytest.raises(ModelError, match="the n-gram file is damaged"):
        list(islice(write(one, 0, None, draw), 2000))
