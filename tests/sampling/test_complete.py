"""Completing lines in parallel equals completing them one by one, and sampling them alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.config import CompletionConfig, ModelConfig, NgramConfig
from charrnn.errors import ModelError, TextError, UsageError
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling import complete as completing
from charrnn.sampling.complete import Completion, LineCompleter, greedy_line
from charrnn.sampling.generate import generate
from charrnn.sampling.likelihood import generated_log_probs
from charrnn.sampling.state import GenerationState
from charrnn.text.vocabulary import Vocabulary

LINES = "one\teins\ntwo\tzwei\nthree\tdrei\nfour\tvier\nelephant\tElefant\na\tein\n"
SOURCES = ["three", "a", "elephant", "two", "one", "four", "thr", "a", "elephants", "x"]
VOCABULARY = Vocabulary(sorted(set(LINES + "x")))


@pytest.fixture(scope="module")
def network() -> LanguageModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(cell="gru", hidden_size=8), len(VOCABULARY)).eval()


@pytest.fixture(scope="module")
def counts() -> LanguageModel:
    return fit_ngram(VOCABULARY.encode(LINES * 20), len(VOCABULARY), NgramConfig(order=9))


@pytest.fixture(scope="module", params=["network", "counts"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    actual: LanguageModel = request.getfixturevalue(request.param)
    return actual


def completed(
    model: LanguageModel,
    sources: list[str] | list[str | None],
    batch_size: int = 64,
    after: str = "",
    **settings: Any,
) -> list[Completion]:
    config = CompletionConfig(**{"length": 20, "seed": 5, **settings})
    return list(LineCompleter(model, VOCABULARY, config, after=after).complete(sources, batch_size))


@pytest.mark.parametrize(
    ("after", "settings"),
    [("", {}), ("", {"temperature": 1.0}), ("a\tein\n", {"temperature": 0.7, "top_k": 4, "ban": "x"})],
)
def test_complete_line_is_independent_of_its_batch(model: LanguageModel, after: str, settings: dict[str, Any]) -> None:
    """The result equals sampling after the same characters with the line's seed."""
    actual = completed(model, SOURCES, after=after, **settings)
    assert [line.source for line in actual] == SOURCES
    for batch_size in (1, 2, 3):
        again = completed(model, SOURCES, batch_size, after, **settings)
        assert [(line.target, line.finished) for line in again] == [(line.target, line.finished) for line in actual]
        np.testing.assert_allclose([one.log_prob for one in again], [one.log_prob for one in actual], atol=1e-4)
    for number, line in enumerate(actual):
        config = CompletionConfig(**{"length": 20, "seed": 5 + number, "until": ("\n",), **settings})
        if isinstance(model, NgramModel) and settings == {"temperature": 1.0}:
            continue  # sampling draws by descent then, which turns the same random numbers into other characters
        text = "".join(generate(model, VOCABULARY, config, f"\n{after}{line.source}\t"))
        assert line.target + "\n" * line.finished == text


def test_completion_log_prob_covers_target_and_line_end(model: LanguageModel) -> None:
    for line in completed(model, SOURCES, temperature=1.5):
        read, written = f"\n{line.source}\t", line.target + "\n" * line.finished
        mark = GenerationState(None, 0, tuple(VOCABULARY.encode(read + written).tolist()), len(read), 0)
        assert line.log_prob == pytest.approx(generated_log_probs(model, VOCABULARY, mark).sum(), abs=1e-4)


def test_complete_lines_seen_in_training_returns_their_targets(counts: LanguageModel) -> None:
    actual = completed(counts, SOURCES[:6])
    assert [line.target for line in actual] == ["drei", "ein", "Elefant", "zwei", "eins", "vier"]
    assert all(line.finished for line in actual)
    assert all(-3 < line.log_prob < 0 for line in actual)


def test_complete_empty_line_stays_empty_and_empty_source_does_not(counts: LanguageModel) -> None:
    nothing = Completion("", "", 0.0, True)
    first, second, third = completed(counts, [None, "two", None])
    assert (first, second.target, third) == (nothing, "zwei", nothing)
    (only,) = completed(counts, [""])
    assert only.log_prob < 0
    assert completed(counts, []) == []


def test_complete_beyond_length_is_unfinished(counts: LanguageModel) -> None:
    short, whole, nothing = (completed(counts, ["three"], length=length)[0] for length in (3, 5, 0))
    assert (short.target, short.finished) == ("dre", False)
    assert (whole.target, whole.finished) == ("drei", True)
    assert (nothing.target, nothing.finished) == ("", False)


def test_complete_with_match_until_and_allow_respects_them(counts: LanguageModel) -> None:
    actual = completed(counts, SOURCES[:3], match="[dren]+", seed=1)
    assert all(line.finished and set(line.target) <= set("dren") for line in actual)
    (until,) = completed(counts, ["elephant"], until=("ef",))
    assert (until.target, until.finished) == ("Elef", True)
    (allowed,) = completed(counts, ["three"], allow="drei")  # line ends always are
    assert (allowed.target, allowed.finished) == ("drei", True)
    with pytest.raises(ModelError, match="line 1: --match"):
        completed(counts, ["one", "two"], match="e{30}")


def test_complete_yields_lines_as_soon_as_they_are_ready(
    counts: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "SORTED_BATCHES", 2)
    taken = 0

    def sources() -> Iterator[str]:
        nonlocal taken
        for source in SOURCES:
            taken += 1
            yield source

    lines = LineCompleter(counts, VOCABULARY, CompletionConfig(length=20)).complete(sources(), 2)
    for expected in (4, 4, 4, 4, 8):
        next(lines)
        assert taken == expected


def test_complete_unknown_characters_raise_or_are_skipped(counts: LanguageModel) -> None:
    with pytest.raises(TextError, match=r"'Z'.* at line 3, column 2"):
        completed(counts, ["one", "two", "tZwo"])
    for unknown in ("skip", "replace"):
        (line,) = LineCompleter(counts, VOCABULARY, CompletionConfig(length=20), unknown=unknown).complete(["twoZ"])
        assert line.source == "twoZ"
        assert (line.target == "zwei") == (unknown == "skip")


@pytest.mark.parametrize("separator", ["", "\n", "=\n"])
def test_completer_with_invalid_separator_raises(counts: LanguageModel, separator: str) -> None:
    with pytest.raises(UsageError, match="--sep"):
        LineCompleter(counts, VOCABULARY, CompletionConfig(), separator)


def test_completer_of_model_without_lines_raises() -> None:
    for characters, part in (("ab\n", r"'\\t' \(U\+0009\)"), ("ab\t", "line ends")):
        vocabulary = Vocabulary(characters)
        model = fit_ngram(vocabulary.encode(characters * 9), len(vocabulary), NgramConfig(order=2))
        with pytest.raises(ModelError, match=f"the model does not know {part}; train a model on lines"):
            LineCompleter(model, vocabulary, CompletionConfig())


def test_greedy_line_is_a_line_of_the_training_text(counts: LanguageModel) -> None:
    assert greedy_line(counts, VOCABULARY) in LINES.splitlines(True)
    without_end = fit_ngram(VOCABULARY.encode("a\t" * 200), len(VOCABULARY), NgramConfig(order=2))
    line = greedy_line(without_end, VOCABULARY)
    assert (len(line), line.count("\n"), line[-1]) == (201, 1, "\n")


def test_complete_bytes_returns_targets() -> None:
    vocabulary, lines = Vocabulary(None), "né\tü€\nab\t\udcff\n" * 20
    model = fit_ngram(vocabulary.encode(lines), 256, NgramConfig(order=6))
    actual = list(LineCompleter(model, vocabulary, CompletionConfig(length=9)).complete(["ab", "né"]))
    assert [line.target for line in actual] == ["\udcff", "ü€"]
    assert all(line.finished for line in actual)
