"""The Python API: fit, load, sample, score."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import charrnn
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, SamplingConfig, TrainingConfig
from charrnn.errors import TextError, UsageError
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus
from charrnn.training.step import StepResult

SMALL = ModelConfig(hidden_size=8, num_layers=1)


@pytest.fixture(scope="module")
def ngrams(small_text: str) -> charrnn.TextModel:
    return charrnn.fit(small_text, NgramConfig(order=4))


def test_fit_network_is_the_same_after_save_and_load(small_text: str, tmp_path: Path) -> None:
    steps: list[StepResult] = []
    model = charrnn.fit(small_text, SMALL, TrainingConfig(steps=4), on_step=steps.append)
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert str(model) == "lstm 1x8"
    assert model.metadata.validation is not None
    assert model.metadata.step is not None
    model.save(tmp_path / "model.safetensors")
    loaded = charrnn.load(tmp_path / "model.safetensors")
    assert loaded.sample("to be", length=40, seed=1) == model.sample("to be", length=40, seed=1)
    assert loaded.metadata == model.metadata


def test_fit_file_equals_fit_of_its_text(small_file: Path, small_text: str, ngrams: charrnn.TextModel) -> None:
    from_file = charrnn.fit(small_file, NgramConfig(order=4))
    assert from_file.metadata.text.sha256 == ngrams.metadata.text.sha256
    assert from_file.metadata.text.path == str(small_file)
    assert from_file.score(small_text) == ngrams.score(small_file)


def test_fit_for_minutes_chooses_the_size(small_text: str) -> None:
    model = charrnn.fit(small_text, ModelConfig(cell="mingru"), TrainingConfig(minutes=0.02))
    assert str(model).startswith("mingru 2x")


def test_sample_stream_and_samples_agree(ngrams: charrnn.TextModel) -> None:
    text = ngrams.sample("to ", length=50, temperature=0.8, seed=3)
    assert len(text) == 50
    assert "".join(ngrams.stream("to ", length=50, temperature=0.8, seed=3)) == text
    assert ngrams.samples(3, "to ", length=50, temperature=0.8, seed=2)[1] == text
    assert ngrams.sample("to ", until=("\n",), seed=1).endswith("\n")
    with pytest.raises(TextError, match="'Z'"):
        ngrams.stream("Z")
    with pytest.raises(UsageError, match="--temp -1"):
        ngrams.sample(temperature=-1)


def test_score_of_held_out_text_equals_validation(ngrams: charrnn.TextModel, small_corpus: Corpus) -> None:
    held_out = small_corpus.validation
    score = ngrams.score(ngrams.vocabulary.decode(held_out.ids))
    assert score == evaluate(ngrams.model, held_out)
    assert ngrams.metadata.validation is not None
    assert score.bits_per_char == pytest.approx(ngrams.metadata.validation.bits_per_char)


def test_sample_of_bytes_forms_and_documents_prepares_the_prompt(tmp_path: Path) -> None:
    raw = charrnn.fit("né\n" * 100, NgramConfig(), corpus=CorpusConfig(bytes=True))
    assert raw.sample("n", length=4, temperature=0) == "é\nn"
    lower = charrnn.fit("Ab\n" * 100, NgramConfig(), corpus=CorpusConfig(lower=True, document_separator="\n"))
    assert lower.sample("A", length=2, temperature=0) == "b\n"
    assert lower.sample(length=3, temperature=0) == "ab\n"
    assert lower.score("AB\n" * 5).bits_per_char == pytest.approx(lower.score("ab\n").bits_per_char)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", NgramConfig(), TrainingConfig()), "training: has no effect with an NgramConfig; remove it"),
        ((Path("text.txt"), object()), "model: pass a ModelConfig or an NgramConfig, not object"),
        ((["text"],), "text: pass a string or the Path of a file, not list"),
    ],
)
def test_fit_with_invalid_argument_raises(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        charrnn.fit(*arguments)


@pytest.mark.parametrize("text", ["", "\ufeff"])
def test_fit_and_score_empty_string_raises(text: str, ngrams: charrnn.TextModel) -> None:
    for function in (charrnn.fit, ngrams.score):
        with pytest.raises(TextError, match=r"^the text is empty; use a text with some thousands of characters$"):
            function(text)


def test_fit_and_score_string_that_its_encoding_lacks_raises() -> None:
    model = charrnn.fit("né\n" * 100, NgramConfig(order=2), corpus=CorpusConfig(encoding="latin-1"))
    with pytest.raises(TextError, match=r"^the text: latin-1 has no '€' \(U\+20AC EURO SIGN\); use another encoding"):
        model.score("n€")
    with pytest.raises(TextError, match="the text: utf-8 has no "):
        charrnn.fit("a\ud800")
    with pytest.raises(UsageError, match="encoding"):
        charrnn.fit("text", corpus=CorpusConfig(encoding="nonsense"))


def test_checkpoint_of_string_is_loaded_without_file_names(ngrams: charrnn.TextModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    ngrams.save(path)
    text = charrnn.load(path).metadata.text
    assert (text.names, text.source) == ((), "a string in Python")
    with pytest.raises(TextError, match=r"^model: was fitted on a text that is not in a file; pass the text$"):
        charrnn.score(path)


def test_sample_settings_override_the_config(ngrams: charrnn.TextModel) -> None:
    config = SamplingConfig(length=30, temperature=0.5, seed=3)
    assert ngrams.sample("to ", config) == ngrams.sample("to ", length=30, temperature=0.5, seed=3)
    assert ngrams.samples(2, "to ", config, seed=2)[1] == ngrams.sample("to ", config)
    with pytest.raises(TypeError, match="temprature"):
        ngrams.sample(temprature=1)


def test_fit_in_notebook_shows_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    training = TrainingConfig(steps=3)
    text = "to be or not to be " * 50
    charrnn.fit(text, SMALL, training)
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    charrnn.fit(text, SMALL, training)
    assert "3/3" in capsys.readouterr().err
    charrnn.fit(text, SMALL, training, progress=False)
    assert capsys.readouterr().err == ""


def test_examples_in_docstrings_parse_and_use_public_names() -> None:
    """The reference page of the Python API is made from these docstrings."""
    source = Path(sys.modules["charrnn.api"].__file__ or "").read_text(encoding="utf-8")
    examples = re.findall(r"^( *)```python\n(.*?)^ *```$", source, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 6
    for indent, code in examples:
        for node in ast.walk(ast.parse(code.replace(f"\n{indent}", "\n").removeprefix(indent))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "charrnn":
                assert node.attr in charrnn.__all__, node.attr
