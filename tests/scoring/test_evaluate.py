"""Bits per character."""

import json
import math

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, ModelConfig, NgramConfig
from charrnn.errors import TextError
from charrnn.models.language_model import State
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import Score, eval_result, evaluate, evaluate_windows


class Successor:
    """A model that gives the next character of the alphabet probability p, and splits the rest evenly."""

    def __init__(self, vocab_size: int, p: float) -> None:
        self.vocab_size, self.p = vocab_size, p

    def __call__(self, tokens: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        rest = (1 - self.p) / (self.vocab_size - 1)
        probabilities = torch.full((*tokens.shape, self.vocab_size), rest)
        probabilities.scatter_(-1, ((tokens + 1) % self.vocab_size)[..., None], self.p)
        return probabilities.log(), ()


def test_evaluate_known_model_gives_the_sum_by_hand() -> None:
    """Of 5 characters, the first costs log2 4, three are predicted at 1 bit each, and one costs log2 6."""
    score = evaluate(Successor(4, 0.5), np.array([0, 1, 2, 0, 1], np.uint8))
    assert score.characters == 5
    assert score.bits_per_char == pytest.approx((2 + 3 * 1 + math.log2(6)) / 5)
    assert score.nats_per_char == pytest.approx(score.bits_per_char * math.log(2))


@pytest.mark.parametrize("kind", [*CELLS, "mkn"])
def test_evaluate_in_any_chunks_gives_one_score(kind: str) -> None:
    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(0, 7, 203).astype(np.uint8)
    model = (
        fit_ngram(ids[:100], 7, NgramConfig(order=4))
        if kind == "mkn"
        else RecurrentModel(ModelConfig(cell=kind, hidden_size=8), 7).eval()
    )
    whole = evaluate(model, ids, piece=1000)
    for piece in (1, 7, 101, 202, 203):
        assert evaluate(model, ids, piece=piece).nats == pytest.approx(whole.nats, rel=1e-6)


def test_evaluate_impossible_characters_give_an_infinite_score() -> None:
    score = evaluate(Successor(3, 1.0), np.array([0, 1, 2, 2, 0]))
    assert score == Score(math.log(3), 5, 1)
    assert score.bits_per_char == math.inf
    assert str(score) == "infinite: 20.0% of the characters have probability 0"
    result = eval_result(score, "90/10/0")
    assert result.bits_per_char is None
    assert result.impossible_share == 0.2
    assert json.loads(json.dumps(vars(result), allow_nan=False))


def test_evaluate_first_character_costs_log_v() -> None:
    assert evaluate(Successor(8, 0.5), np.array([3])).bits_per_char == pytest.approx(3)


def test_evaluate_empty_text_raises() -> None:
    with pytest.raises(TextError, match="no held-out characters"):
        evaluate(Successor(8, 0.5), np.array([], np.uint8))


def test_evaluate_progress_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Successor(3, 0.5), np.zeros(10, np.uint8), 4, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 10), (5, 10), (9, 10), (10, 10)]


def test_eval_result_of_a_part_has_its_rule() -> None:
    assert eval_result(Score(1.0, 10), "90/10/0", 10).rule == "static, full"
    assert eval_result(Score(1.0, 10), "90/10/0", 25).rule == "static, first 10 of 25"


@pytest.mark.parametrize("window", [1, 3, 50, 202, 1000])
def test_windows_known_model_gives_the_sum_by_hand(window: int) -> None:
    """Each character except the first is predicted once, from its own window only."""
    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(0, 7, 203).astype(np.uint8)
    model = RecurrentModel(ModelConfig(hidden_size=8), 7).eval()
    nats = 0.0
    for begin in range(0, 202, window):
        part = torch.from_numpy(ids[begin : begin + window + 1].astype(np.int64))
        logits, _ = model(part[None, :-1])
        nats += torch.nn.functional.cross_entropy(logits[0], part[1:], reduction="sum").item()
    score = evaluate_windows(model, ids, window)
    assert score.characters == 202
    assert score.nats == pytest.approx(nats, rel=1e-5)
    assert eval_result(score, "90/10/0", window=window).rule == f"static, window {window}"


def test_windows_of_one_character_raise() -> None:
    with pytest.raises(TextError, match="no held-out characters"):
        evaluate_windows(Successor(3, 0.5), np.array([1], np.uint8), 256)
