"""The longest match: a worked example, a reference implementation, and invalid files."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.models.language_model import State, next_log_probs
from charrnn.models.ngram.longest import longest_match as longest
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.stepper import PlainStepper, Sampler, make_stepper
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus

LETTERS = "abcdrx"


def model_of(text: str, letters: str = LETTERS) -> LongestMatchModel:
    return LongestMatchModel.fit(np.array([letters.index(one) for one in text], np.uint8), len(letters), NgramConfig())


@pytest.mark.parametrize(
    ("read", "length", "expected"),
    [
        # Five a's, of which the last is not followed: b after two of them, c and d after one each.
        ("a", 1, {"b": 1 / 2, "c": 1 / 4, "d": 1 / 4}),
        ("ra", 2, {"c": 1}),  # the other ra is the end of the text
        ("dabra", 4, {"c": 1}),  # dabra is the end; abra was followed
        ("bracadab", 8, {"r": 1}),
        ("dad", 2, {"a": 1}),  # ad; no dad
        ("cb", 1, {"r": 1}),
        ("ax", 0, {"a": 5 / 11, "b": 2 / 11, "c": 1 / 11, "d": 1 / 11, "r": 2 / 11}),  # x never occurs
    ],
)
def test_longest_match_in_abracadabra_equals_fractions_by_hand(
    read: str, length: int, expected: dict[str, float]
) -> None:
    model = model_of("abracadabra")
    log_probs, (state,) = model(torch.tensor([[LETTERS.index(letter) for letter in read]]))
    actual = dict(zip(LETTERS, log_probs[0, -1].exp().tolist(), strict=True))
    assert actual == pytest.approx({letter: expected.get(letter, 0) for letter in LETTERS})
    assert state[0, 2] == length


def slow_shares(text: list[int], seen: list[int], vocab_size: int) -> list[float]:
    """Return the frequencies after the longest suffix of `seen` that is followed by a character, counted everywhere."""
    for start in range(len(seen) + 1):
        context = seen[start:]
        places = range(len(context), len(text))
        counts = Counter(text[place] for place in places if text[place - len(context) : place] == context)
        if counts:
            return [counts[token] / counts.total() for token in range(vocab_size)]
    raise AssertionError("something follows the empty context")


@pytest.mark.parametrize("vocab_size", [4, 30, 300])
def test_longest_match_equals_a_slow_count(vocab_size: int) -> None:
    """For contexts with few positions and with many."""
    rng = np.random.default_rng(vocab_size)
    text = (rng.zipf(1.3, 700) % (vocab_size - 1)).astype(np.uint16)
    model = LongestMatchModel.fit(text, vocab_size, NgramConfig())
    read = np.concatenate((text[500:540], rng.integers(0, vocab_size, 30), text[-20:]))
    log_probs, _ = model(torch.from_numpy(read.astype(np.int64))[None])
    expected = [slow_shares(text.tolist(), read[: t + 1].tolist(), vocab_size) for t in range(len(read))]
    np.testing.assert_allclose(log_probs[0].exp(), expected, rtol=1e-5)


def test_longest_match_of_one_character_is_certain() -> None:
    model = model_of("c")
    assert model(torch.tensor([[2, 0]]))[0].exp()[0].tolist() == [[0, 0, 1, 0, 0, 0]] * 2


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, 5, (3, 60), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model(tokens: torch.Tensor) -> LongestMatchModel:
    """A model of a text that contains one of the rows, which gives a long match."""
    others = torch.randint(0, 5, (400,), generator=torch.Generator().manual_seed(1))
    return LongestMatchModel.fit(torch.cat((others, tokens[1], others)).numpy(), 6, NgramConfig())


@pytest.mark.parametrize("size", [1, 7, 45])
def test_longest_match_in_chunks_and_rows_gives_the_same(
    model: LongestMatchModel, tokens: torch.Tensor, size: int
) -> None:
    whole, (end,) = model(tokens)
    assert end[1, 2] > 50
    for row in range(3):
        state: State | None = None
        parts = []
        for piece in torch.split(tokens[row : row + 1], size, dim=1):
            log_probs, state = model(piece, state)
            parts.append(log_probs)
        assert torch.equal(torch.cat(parts, dim=1)[0], whole[row])
        assert state is not None
        assert torch.equal(state[0][0], end[row])


def test_next_log_probs_of_longest_match_equal_the_logits(
    model: LongestMatchModel, tokens: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, even when probabilities are computed in chunks; the last character of the text counts too."""
    monkeypatch.setattr(longest, "MAX_PROBABILITIES", 100)
    _, middle = model(tokens[:, :5])
    for state in (None, middle):
        for shift in range(5):
            targets = (tokens + shift) % 6
            actual, (after,) = next_log_probs(model, tokens, targets, state)
            log_probs, (expected_after,) = model(tokens, state)
            assert torch.equal(actual, log_probs.gather(-1, targets[..., None])[..., 0])
            assert torch.equal(after, expected_after)


def test_stepper_of_longest_match_draws_what_the_logits_give(model: LongestMatchModel, tokens: torch.Tensor) -> None:
    """For any sampler: the most likely, the least likely, or the last possible character."""
    draws: list[Sampler] = [
        lambda logits: logits.argmax(-1),
        lambda logits: np.where(np.isneginf(logits), 0, logits).argmin(-1),
        lambda logits: np.where(np.isneginf(logits), -1, np.arange(6)).argmax(-1),
        CounterTemperatureSampler(1.0, CounterRNG([0])),
    ]
    for row in range(3):
        _, state = model(tokens[row : row + 1, :20])
        for begin in (None, state):
            for draw in draws:
                actual = []
                for step in (make_stepper(model, begin), PlainStepper(model, begin)):
                    token, text = np.array([3]), []
                    chosen_by = copy.deepcopy(draw)  # from the first random number on
                    for _ in range(200):
                        token = step.draw_next(token, chosen_by)
                        text.append(int(token[0]))
                    assert step.state is not None
                    actual.append((text, step.state[0].tolist()))
                assert actual[0] == actual[1]


def test_longest_match_from_its_tensors_is_the_same(model: LongestMatchModel, tokens: torch.Tensor) -> None:
    again = LongestMatchModel.from_tensors(model.config, 6, model.tensors())
    assert torch.equal(again(tokens)[0], model(tokens)[0])
    assert again.entries == 860
    bytes_a_character = sum(tensor.nbytes for tensor in again.tensors().values()) / again.entries
    assert 9 <= bytes_a_character < 9.2


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("text", None, "tensors: expected text, places, shorter, starts, last, found "),
        ("more", torch.zeros(1), "tensors: expected "),
        ("text", torch.zeros(868, dtype=torch.int16), r"text: expected uint8 of shape \(868,\), found int16"),
        ("text", torch.zeros(0, dtype=torch.uint8), "text: expected "),
        ("text", torch.tensor(1, dtype=torch.uint8), "text: expected "),
        ("places", torch.zeros(860), r"places: expected int32 of shape \(860,\), found float32"),
        ("shorter", torch.zeros(859, dtype=torch.int32), r"shorter: expected .*, found int32 of shape \(859,\)"),
        ("starts", torch.tensor([1, 2, 1, 3, 4, 5, 860]), "starts: expected numbers increasing from 1 to 860"),
        ("starts", torch.tensor([0, 2, 3, 4, 5, 6, 860]), "starts: expected numbers"),
        ("starts", torch.tensor([1, 2, 3, 4, 5, 6, 861]), "starts: expected numbers"),
        ("last", torch.zeros(2, dtype=torch.int64), "last: expected "),
    ],
)
def test_longest_match_from_wrong_tensors_raises_value_error(
    model: LongestMatchModel, name: str, tensor: torch.Tensor | None, message: str
) -> None:
    tensors = model.tensors()
    tensors.pop(name, None)
    if tensor is not None:
        tensors[name] = tensor
    with pytest.raises(ValueError, match=message):
        LongestMatchModel.from_tensors(model.config, 6, tensors)


@pytest.mark.parametrize("name", ["text", "places", "shorter", "last"])
def test_longest_match_of_a_damaged_file_reads_inside_the_arrays(
    model: LongestMatchModel, tokens: torch.Tensor, name: str
) -> None:
    """Wrong numbers give wrong probabilities, but no NaN, no crash, and nothing larger than the text."""
    extremes = torch.tensor([-(2**31), 2**31 - 1, -1, 0, 859, 860, 861])
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        tensors = model.tensors()
        chosen = extremes[torch.randint(0, 7, tensors[name].shape, generator=generator)]
        tensors[name] = chosen.to(tensors[name].dtype)
        spoiled = LongestMatchModel.from_tensors(model.config, 6, tensors)
        log_probs, state = spoiled(tokens)
        for one in torch.split(tokens[:, :4], 1, dim=1):
            log_probs, state = spoiled(one, state)
            actual, _ = next_log_probs(spoiled, one, one, state)
            assert not actual.isnan().any()
        assert not log_probs.isnan().any()


def test_longest_match_on_tiny_shakespeare_scores_the_reference(tiny_shakespeare_corpus: Corpus) -> None:
    """A third of the validation set never followed its longest match: the limit of Goldberg's counts at high orders."""
    corpus = tiny_shakespeare_corpus
    model = LongestMatchModel.fit(corpus.train.ids, len(corpus.vocabulary), NgramConfig())
    score = evaluate(model, corpus.validation)
    assert score.bits_per_char == float("inf")
    assert score.impossible_share == pytest.approx(0.348, abs=0.0005)
