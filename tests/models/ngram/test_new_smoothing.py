"""A smoothing method defined by one record works everywhere; without the record, nothing is left of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from program import SMALL, Charrnn

import charrnn as library
from charrnn.checkpoint import load, save
from charrnn.cli.main import make_command
from charrnn.config import SMOOTHINGS, ModelConfig, NgramConfig, Smoothing
from charrnn.errors import UsageError
from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.fit import NgramCounts, fit_ngram, resolve
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import Discounts
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.online import supports_online
from charrnn.text.corpus import Corpus
from charrnn.training.fit_mixture import MixtureTrainer


def half_discounts(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Absolute discounting: subtract 1/2 from every count."""
    half = torch.tensor([[0.5], [0.5], [0.5], [0.0]], dtype=torch.double)
    return lambda order, statistics: half.expand_as(statistics)


class ShortMatchModel(LongestMatchModel):
    """A model class used by one smoothing method."""


HALF = Smoothing("half", "absolute discounting of 1/2", discounts=half_discounts)
SHORT = Smoothing("short", "a match", model=ShortMatchModel, is_smoothed=False)


@pytest.fixture(autouse=True)
def new_smoothings(monkeypatch: pytest.MonkeyPatch) -> None:
    for smoothing in (HALF, SHORT):
        monkeypatch.setitem(SMOOTHINGS, smoothing.name, smoothing)


def test_new_smoothing_in_every_command_works(charrnn: Charrnn, folder: Path) -> None:
    counted = json.loads(charrnn("ngram", "text.txt", "--order", 4, "--smoothing", "half", "--online", "--json").text)
    assert counted["checkpoint"] == "checkpoints/text-half-4.safetensors"
    assert counted["model"] == "half order 4"
    assert 0 < counted["online"]["bits_per_char"] != counted["bits_per_char"]
    assert len(charrnn("sample", "text-half-4", "--length", 20, "--seed", 1).text) == 20
    scored = json.loads(charrnn("score", "text-half-4", "--online", "--json").text)
    assert scored["bits_per_char"] == pytest.approx(counted["bits_per_char"])
    assert scored["online"]["bits_per_char"] == pytest.approx(counted["online"]["bits_per_char"])
    assert "half order 4" in charrnn("inspect", "text-half-4").err
    assert charrnn("view", "text-half-4", "--out", "page.html").status == 0
    assert "half order 4" in (folder / "page.html").read_text(encoding="utf-8")


def test_new_smoothing_in_compare_is_a_row_with_its_legend(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 4, "--smoothing", "half").status == 0
    assert charrnn("ngram", "text.txt", "--smoothing", "short").status == 0
    assert charrnn("train", "text.txt", *SMALL).status == 0
    words = ("compare", "text-half-4", "text-short", "text-lstm", "--online", "--length", 20, "--novelty-length", 0)
    compared = json.loads(charrnn(*words, "--baselines", "none", "--json").text)
    assert {row["model"] for row in compared["static"]} == {"half order 4", "short match", "lstm 1x8"}
    assert "half order 4" in {row["model"] for row in compared["online"]}
    assert "short match" not in {row["model"] for row in compared["online"]}
    assert "half: absolute discounting of 1/2" in charrnn(*words, "--baselines", "none").err


def test_new_smoothing_without_a_record_is_refused(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert charrnn("ngram", "text.txt", "--order", 2, "--smoothing", "half").status == 0
    monkeypatch.delitem(SMOOTHINGS, "half")
    assert charrnn("sample", "text-half-2").failed_with(1, "--smoothing half: must be one of ml, stupid")
    assert charrnn("ngram", "text.txt", "--smoothing", "half").failed_with(2, "--smoothing half: must be one of")


def test_new_smoothing_in_python_is_fitted_saved_and_loaded(small_file: Path, tmp_path: Path) -> None:
    fitted = library.fit(small_file, NgramConfig(order=3, smoothing="half"))
    assert fitted.metadata.validation is not None
    assert 0 < fitted.metadata.validation.bits_per_char < 5  # type: ignore[operator]
    fitted.save(tmp_path / "half.safetensors")
    again = library.load(tmp_path / "half.safetensors")
    assert again.sample(length=50, seed=1) == fitted.sample(length=50, seed=1)
    assert again.metadata.validation == fitted.metadata.validation


def test_new_smoothing_is_mixed_with_a_network(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary)).eval()
    mixing = MixtureTrainer(
        small_corpus.train.ids, len(small_corpus.vocabulary), NgramConfig(order=3, smoothing="half")
    )
    mixture = mixing.finish(network, 0)
    facts = library.fit("to be or not", NgramConfig(order=1)).metadata
    save(tmp_path / "mixture.safetensors", mixture, small_corpus.vocabulary, facts)
    assert "half order 3" in load(tmp_path / "mixture.safetensors").description


def test_new_smoothing_can_be_pruned_and_counts_online(small_corpus: Corpus) -> None:
    size = len(small_corpus.vocabulary)
    whole, pruned = (fit_ngram(small_corpus.train.ids, size, NgramConfig(4, "half", prune)) for prune in (0, 2))
    assert pruned.entries < whole.entries
    assert supports_online(whole)


def test_smoothing_with_its_own_model_class_has_no_order(small_corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--order 3: .*--smoothing short"):
        NgramConfig(order=3, smoothing="short")
    with pytest.raises(UsageError, match=r"--prune 1: .*--smoothing short"):
        NgramConfig(prune=1, smoothing="short")
    with pytest.raises(UsageError, match="--online: --smoothing short does not support it"):
        NgramConfig(smoothing="short").check_online()
    config, size = NgramConfig(smoothing="short"), len(small_corpus.vocabulary)
    model = fit_ngram(small_corpus.train.ids, size, config)
    assert type(model) is ShortMatchModel
    assert not supports_online(model)
    facts = library.fit("to be or not", NgramConfig(order=1)).metadata
    save(tmp_path / "short.safetensors", model, small_corpus.vocabulary, facts)
    assert type(load(tmp_path / "short.safetensors").model) is ShortMatchModel


@pytest.mark.parametrize("name", [name for name in SMOOTHINGS if name not in ("half", "short")])
def test_smoothing_record_says_how_it_is_fitted_once(name: str) -> None:
    smoothing = SMOOTHINGS[name]
    (function,) = (one for one in (smoothing.discounts, smoothing.levels, smoothing.model) if one)
    assert callable(resolve(function))
    (option,) = (one for one in make_command().commands["ngram"].params if one.name == "smoothing")
    assert f"{name}: {smoothing.help}" in option.help


def test_smoothing_that_is_not_smoothed_gives_no_probability_to_the_unseen(small_corpus: Corpus) -> None:
    """The flag of each record agrees with its model."""
    size = len(small_corpus.vocabulary)
    ids = np.where(small_corpus.train.ids == 0, 1, small_corpus.train.ids)  # so character 0 never occurs
    for smoothing in SMOOTHINGS.values():
        config = NgramConfig(order=3 if smoothing.has_order else None, smoothing=smoothing.name)
        model = fit_ngram(ids, size, config)
        logits, _ = model(torch.from_numpy(ids[None, :200].astype(np.int64)))
        assert bool((logits[..., 0] > -torch.inf).all()) == smoothing.is_smoothed
        if isinstance(model, NgramModel):
            has_negative = any(float(level.weights.min()) < 0 for level in model.orders)
            assert has_negative <= smoothing.has_negative_weights


def test_progress_of_fitting_ends_with_the_steps_of_the_record(small_corpus: Corpus) -> None:
    reports: list[tuple[int, int]] = []
    config = NgramConfig(order=3, smoothing="tuned")
    NgramCounts.of(small_corpus.train.ids, 30, config, lambda done, total: reports.append((done, total)))
    assert len({total for _, total in reports}) == 1
    assert [done for done, _ in reports] == list(range(1, len(reports) + 1))
