"""Beam search compared with an exhaustive search."""

from itertools import product

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig, NgramConfig, SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.beam import BeamResult, beam_search
from charrnn.sampling.likelihood import generated_log_probs
from charrnn.sampling.state import GenerationState, advance
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("\nabc")


def counted() -> LanguageModel:
    return fit_ngram(np.random.default_rng(0).integers(0, 4, 60), 4, NgramConfig(order=3))


def network() -> LanguageModel:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), 4).eval()
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model


def search(model: LanguageModel, width: int, prime: str = "", **settings: object) -> tuple[str, BeamResult]:
    mark = advance(model, GenerationState.start(LETTERS, 0), LETTERS.encode(prime).tolist())
    *steps, actual = beam_search(model, LETTERS, SamplingConfig(**settings), mark, width)  # type: ignore[arg-type]
    assert actual is not None
    assert not any(steps)
    return LETTERS.decode(actual.end.generated), actual


def likelihood(model: LanguageModel, text: str, prime: str = "") -> float:
    mark = advance(model, GenerationState.start(LETTERS, 0), LETTERS.encode(prime).tolist())
    return float(
        generated_log_probs(
            model, LETTERS, advance(model, mark, LETTERS.encode(text).tolist(), is_generated=True)
        ).sum()
    )


@pytest.mark.parametrize("make", [counted, network])
@pytest.mark.parametrize("prime", ["", "ab"])
def test_beam_search_as_wide_as_all_texts_finds_the_likeliest(make: object, prime: str) -> None:
    model = make()  # type: ignore[operator]
    best = max(("".join(text) for text in product("\nabc", repeat=4)), key=lambda text: likelihood(model, text, prime))
    text, actual = search(model, 4**3, prime, length=4)
    assert text == best
    assert actual.log_prob == pytest.approx(likelihood(model, best, prime), abs=1e-4)


def test_beam_search_with_stop_compares_ended_and_growing_texts() -> None:
    model = counted()
    texts = ["".join(text) for length in range(1, 5) for text in product("\nabc", repeat=length)]
    ended = [text for text in texts if "b" not in text[:-1] and (text.endswith("b") or len(text) == 4)]
    best = max(ended, key=lambda text: likelihood(model, text))
    assert search(model, 4**3, until=("b",), length=4)[0] == best


def test_beam_search_with_match_counts_the_ending_characters() -> None:
    """The probability of "a" includes everything after "a" except b and c."""
    model = counted()
    after_a = [likelihood(model, f"a{other}") for other in "\na"]
    expected = {"a": float(np.logaddexp.reduce(after_a)), "ab": likelihood(model, "ab"), "ac": likelihood(model, "ac")}
    text, actual = search(model, 9, match="a[bc]?", length=9)
    best = max(expected, key=lambda text: expected[text])
    assert text == best
    assert actual.log_prob == pytest.approx(expected[best], abs=1e-4)


def test_beam_search_without_result_raises() -> None:
    with pytest.raises(ModelError, match="beam search found no text"):
        search(counted(), 2, match="[abc]{9}", length=4)


def test_beam_search_drops_dead_ends_and_continues() -> None:
    """After "b" the unsmoothed model only predicts banned characters, which once ended the whole search."""
    model = fit_ngram(LETTERS.encode("ab\nab\nac" * 20), 4, NgramConfig(order=2, smoothing="ml"))
    assert search(model, 4, length=3, ban="\n")[0] == "aca"


def test_beam_search_with_nan_weights_raises() -> None:
    model = network()
    with torch.no_grad():
        model.head.bias.fill_(torch.nan)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="NaN or infinite logits"):
        search(model, 2, length=3)


def test_beam_search_of_bytes_respects_bans() -> None:
    letters, model = Vocabulary(None), fit_ngram(Vocabulary(None).encode("néé né " * 20), 256, NgramConfig(order=3))
    *_, actual = beam_search(model, letters, SamplingConfig(length=9, ban=" "), GenerationState.start(letters, 0), 4)
    assert actual is not None
    assert letters.decode(actual.end.ids).startswith("né")
    assert " " not in letters.decode(actual.end.ids)
