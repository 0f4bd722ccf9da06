"""The registry of filters: a filter defined by a test works in every command, and the order is defined in one place."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import SMALL, TEXT, Charrnn

import charrnn
from charrnn import api
from charrnn.cli.complete import command as complete_command
from charrnn.cli.main import make_command
from charrnn.cli.sample import command as sample_command
from charrnn.config import CompletionConfig, NgramConfig, SamplingConfig, option, option_flags
from charrnn.sampling import filters
from charrnn.sampling.filters import FILTERS, Filter, Scores, value_filter
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler, FilteredSampler, make_sampler
from charrnn.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]


def keep_first(scores: Scores, count: int) -> Scores:
    """Keep the characters with the lowest ids."""
    return np.where(np.arange(scores.shape[-1]) < count, scores, -np.inf)


@dataclass(frozen=True)
class Record:
    """Everything about a filter: its setting and its function."""

    setting: tuple[str, Any, Any]
    filter: Filter


def at_least_one(count: int) -> str | None:
    return None if count > 0 else "must be 1 or more"


FIRST = Record(
    ("keep_first", int | None, option(None, "Keep the first N characters.", check=at_least_one, is_filter=True)),
    value_filter("keep_first", keep_first, in_beam_search=True),
)


@pytest.fixture(autouse=True)
def _without_commands_made_before() -> Iterator[None]:
    make_command.cache_clear()
    yield
    make_command.cache_clear()


def add(record: Record, patch: pytest.MonkeyPatch) -> type[SamplingConfig]:
    """Add a filter as a developer would: a field of SamplingConfig, and an entry of FILTERS."""
    sampling, completion = (
        make_dataclass(config.__name__, [record.setting], bases=(config,), frozen=True)
        for config in (SamplingConfig, CompletionConfig)
    )
    patch.setattr(sample_command, "SamplingConfig", sampling)
    patch.setattr(complete_command, "CompletionConfig", completion)
    patch.setattr(api, "SamplingConfig", sampling)
    patch.setattr(filters, "FILTERS", (*FILTERS, record.filter))
    return sampling


def test_filter_defined_in_one_record_works_everywhere_and_is_removed_again(charrnn: Charrnn, folder: Path) -> None:
    (folder / "lines.txt").write_text("ab\tba\nabb\tbba\n" * 50, encoding="utf-8")
    assert charrnn("ngram", "lines.txt", "--order", 3).status == 0
    words = ("sample", "--length", 60, "--seed", 1)
    plain = charrnn(*words)
    assert set(plain.text) == set("\t\nab")
    with pytest.MonkeyPatch.context() as patch:
        add(FIRST, patch)
        make_command.cache_clear()
        first = ("--keep-first", 2)  # the tab and the line end
        for extra in ((), ("--temp", 0), ("--top-k", 3), ("--beam", 3), ("--best-of", 2), ("--ban", r"\t")):
            result = charrnn(*words[:3], *first, *extra)
            assert result.status == 0, result.err
            assert len(result.text) == 60
            assert set(result.text) <= set("\t\n"), extra
        (text, _) = json.loads(charrnn(*words, *first, "--count", 2, "--json").out)
        assert set(text["text"]) <= set("\t\n")
        assert charrnn(*words).text == plain.text
        completed = charrnn("complete", "lines-tuned-3", *first, "--length", 5, stdin=b"ab\n")
        assert completed.status == 0
        assert set(completed.text) <= set("\t\n")
        assert charrnn(*words, "--keep-first", 0).failed_with(2, "--keep-first 0: must be 1 or more")
        shown = " ".join(charrnn("sample", "--help").text.split())
        assert "--min-p, --keep-first." in shown
        assert "Keep the first N characters." in shown
    make_command.cache_clear()
    assert charrnn(*words, "--keep-first", 2).failed_with(2, "--keep-first: no such option")
    assert charrnn(*words).text == plain.text


def test_filter_that_beams_do_not_apply_is_refused_with_them(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL).status == 0
    record = Record(FIRST.setting, value_filter("keep_first", keep_first))
    with pytest.MonkeyPatch.context() as patch:
        add(record, patch)
        make_command.cache_clear()
        result = charrnn("sample", "--beam", 2, "--keep-first", 2)
        assert result.failed_with(2, "--keep-first has no effect with --beam")
    make_command.cache_clear()


def test_filter_defined_by_a_library_user_works_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    model = charrnn.fit(TEXT, NgramConfig(order=3))
    config = add(FIRST, monkeypatch)
    allowed = set(model.vocabulary.decode([0, 1, 2]))
    assert set(model.sample(length=50, keep_first=3)) <= allowed
    assert set(model.sample("To", config(length=50, keep_first=3))) <= allowed  # type: ignore[call-arg]


def test_filters_apply_in_the_order_of_their_settings() -> None:
    specs = {spec.name: spec for spec in fields(SamplingConfig)}
    turned_on = [name for name in specs if specs[name].metadata["is_filter"]]
    settings = [name for record in FILTERS for name in record.settings]
    assert [name for name in settings if name in turned_on] == turned_on
    assert all(record.settings[0] in turned_on for record in FILTERS)
    assert [name for name in specs if name in settings] == settings
    assert SamplingConfig.filter_order() == ", ".join(option_flags(specs[name])[0] for name in turned_on)
    assert SamplingConfig.filter_order() == CompletionConfig.filter_order()


@pytest.mark.parametrize("command", ["sample", "complete"])
def test_help_lists_filters_in_order(charrnn: Charrnn, command: str) -> None:
    assert f"{SamplingConfig.filter_order()}." in " ".join(charrnn(command, "--help").text.split())


def test_sampling_page_lists_filters_in_order() -> None:
    page = (ROOT / "docs" / "guides" / "sampling.md").read_text(encoding="utf-8")
    flags = re.findall(r"`(--[\w-]+)`", " ".join(re.findall(r"^\d+\. (`.+?):", page, flags=re.MULTILINE)))
    names = SamplingConfig.filter_order().split(", ")
    assert [flag for flag in flags if flag in names] == names


@pytest.mark.parametrize("setting", [one.settings[0] for one in FILTERS if one.settings[0] != "temperature"])
def test_filter_alone_leaves_the_fast_path(setting: str) -> None:
    """A filter missing from a list of conditions once had no effect when used alone."""
    values = {"allow": "ab", "match": "a+", "repetition_penalty": 2.0, "top_k": 2, "top_p": 0.5, "min_p": 0.5}
    config = SamplingConfig(**{setting: values[setting]})  # type: ignore[arg-type]
    vocabulary = Vocabulary("abc")
    assert isinstance(make_sampler(config, CounterRNG([0]), vocabulary), FilteredSampler)
    assert isinstance(
        make_sampler(SamplingConfig(temperature=0.5), CounterRNG([0]), vocabulary), CounterTemperatureSampler
    )
