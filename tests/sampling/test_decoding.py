"""From logits to characters."""

import pytest
import torch

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.sampling.decoding import keep_top_k, keep_top_p, make_draw

P = torch.tensor([[0.5, 0.3, 0.15, 0.05]])


def frequencies(config: SamplingConfig, logits: torch.Tensor, draws: int = 40_000) -> list[float]:
    draw = make_draw(config, torch.Generator().manual_seed(0))
    tokens = draw(logits.expand(draws, -1))
    return (torch.bincount(tokens, minlength=logits.shape[-1]) / draws).tolist()


def test_temperature_one_draws_the_models_own_distribution() -> None:
    assert frequencies(SamplingConfig(), P.log()) == pytest.approx(P[0].tolist(), abs=0.01)


def test_temperature_sharpens_and_flattens() -> None:
    for temperature in (0.5, 2.0):
        expected = P[0] ** (1 / temperature)
        expected /= expected.sum()
        found = frequencies(SamplingConfig(temperature=temperature), P.log())
        assert found == pytest.approx(expected.tolist(), abs=0.01)


def test_temperature_zero_takes_the_likeliest() -> None:
    assert frequencies(SamplingConfig(temperature=0), P.log()) == [1, 0, 0, 0]


def test_a_temperature_next_to_zero_takes_the_likeliest_too() -> None:
    """Logits divided by 1e-40 were infinite, and their softmax no number."""
    assert frequencies(SamplingConfig(temperature=1e-40), P.log()) == [1, 0, 0, 0]
    assert frequencies(SamplingConfig(temperature=1e-300), 1 + P) == [1, 0, 0, 0]


@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_no_probability_at_all_is_an_error(value: float) -> None:
    with pytest.raises(ModelError, match="gives no probabilities"):
        make_draw(SamplingConfig(), torch.Generator())(torch.full((1, 3), value))


def test_what_is_impossible_is_never_drawn() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0]])
    assert frequencies(SamplingConfig(temperature=5), logits)[1] == 0


def test_top_k_keeps_k_even_of_ties() -> None:
    kept = keep_top_k(torch.zeros(1, 5), 2)
    assert torch.isfinite(kept).sum() == 2
    assert keep_top_k(P, 2).tolist() == [pytest.approx([0.5, 0.3, -torch.inf, -torch.inf])]
    assert torch.equal(keep_top_k(P, 9), P)


@pytest.mark.parametrize(("p", "kept"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.9, 3), (1.0, 4), (1e-9, 1)])
def test_top_p_keeps_the_fewest_that_reach_p(p: float, kept: int) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]], dtype=torch.float64).log()[:, [2, 0, 3, 1]]
    filtered = keep_top_p(logits, p - 1e-12 if p in (0.5, 0.8) else p)
    order = [1, 3, 0, 2]
    assert torch.isfinite(filtered)[0, order].tolist() == [i < kept for i in range(4)]
    assert torch.equal(filtered[torch.isfinite(filtered)], logits[torch.isfinite(filtered)])


def test_filters_reach_the_draw() -> None:
    assert frequencies(SamplingConfig(top_k=1), P.log()) == [1, 0, 0, 0]
    assert frequencies(SamplingConfig(top_p=0.7), P.log()) == pytest.approx([0.625, 0.375, 0, 0], abs=0.01)


def test_the_seed_decides() -> None:
    logits = torch.zeros(50, 10)
    first, second = (make_draw(SamplingConfig(), torch.Generator().manual_seed(7))(logits) for _ in range(2))
    other = make_draw(SamplingConfig(), torch.Generator().manual_seed(8))(logits)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1}, "--temp -1: must be 0 or more"),
        ({"temperature": float("nan")}, "--temp nan"),
        ({"top_k": 0}, "--top-k 0: must be from 1"),
        ({"top_p": 0}, "--top-p 0: must be more than 0, and at most 1"),
        ({"top_p": 1.5}, "--top-p 1.5"),
        ({"length": -1}, "--length -1"),
    ],
)
def test_settings_without_sense_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SamplingConfig(**values)  # type: ignore[arg-type]
