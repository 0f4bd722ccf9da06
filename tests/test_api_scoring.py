"""`charrnn.compare`, `charrnn.score` and `charrnn.attribute` give the same results as the commands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from program import TEXT, Charrnn

import charrnn as library
from charrnn.errors import TextError, UsageError

QUICK = library.CompareConfig(length=10, novelty_length=60)


def test_compare_tables_equal_those_of_the_command(charrnn: Charrnn, models: Path) -> None:
    words = ("--length", 10, "--novelty-length", 60, "--online", "--limit", 50, "--json")
    expected = json.loads(charrnn("compare", "text-lstm", "text-tuned-3", *words).text)
    config = library.CompareConfig(length=10, novelty_length=60, online=True, limit=50)
    paths = [models / f"{name}.safetensors" for name in ("text-lstm", "text-tuned-3")]
    tables = library.compare(paths, config=config).as_json()
    for table, key in (("static", "sample"), ("online", "how")):
        for row, other in zip(tables[table], expected[table], strict=True):
            assert row.keys() == other.keys()
            assert (row["bits_per_char"], row[key]) == (other["bits_per_char"], other[key])


def test_compare_unsaved_models_makes_rows(small_text: str) -> None:
    model = library.fit(small_text, library.NgramConfig(order=3))
    comparison = library.compare([model], small_text, QUICK)
    assert [row.checkpoint.description for row in comparison.rows] == [
        "tuned order 9", "tuned order 3", "mkn order 9", "ml order 9",
    ]  # fmt: skip
    assert comparison.split.part == "validation"
    assert (comparison.online, comparison.structure) == ([], None)
    with pytest.raises(TextError, match="was fitted on a text that is not in a file; pass the text"):
        library.compare([model])
    with pytest.raises(UsageError, match="compares a network with n-grams, but there is no network; add one"):
        _ = library.compare([model], small_text, library.CompareConfig(structure=True)).structure


def test_score_figures_equal_those_of_the_command(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text(TEXT[:300][::-1], encoding="utf-8")
    words = ("--window", 16, "--online", "--lines", "--json")
    for text in (None, Path("other.txt")):
        named = ("--text", text) if text else ()
        expected = json.loads(charrnn("score", "text-tuned-3", *named, *words).text)
        config = library.ScoreConfig(window=16, online=True, lines=True)
        scored = library.score(models / "text-tuned-3.safetensors", text, config)
        expected["checkpoint"] = str(models / "text-tuned-3.safetensors")
        assert json.loads(json.dumps(scored.as_json())) == expected
        assert scored.bits_per_char == expected["bits_per_char"]


def test_attribute_text_of_one_model_finds_it(small_text: str) -> None:
    models = [library.fit(text, library.NgramConfig(order=3)) for text in (small_text, small_text[::-1])]
    attribution = library.attribute(models, "that is the question")
    assert attribution.likeliest is models[0].checkpoint
    assert library.attribute(models, small_text).split.part == "validation"
    assert (attribution.source, attribution.as_json()["text"]) == ("the text", "the text")
    assert library.score(models[0], "that is the question").as_json()["text"] == "the text"


def test_compare_and_attribute_with_too_few_models_raise(small_text: str) -> None:
    model = library.fit(small_text, library.NgramConfig(order=3))
    calls: list[tuple[Callable[..., object], object, str]] = [
        (library.compare, [], "1 model"),
        (library.compare, model, "1 model"),
        (library.attribute, [model], "2 models"),
        (library.attribute, "text.safetensors", "2 models"),
    ]
    for function, models, minimum in calls:
        with pytest.raises(UsageError, match=rf"^models: pass a list of at least {minimum}$"):
            function(models, small_text)
    with pytest.raises(UsageError, match=r"^text: pass a string or the Path of a file, not list$"):
        library.attribute([model, model], ["a", "b"])  # type: ignore[arg-type]
