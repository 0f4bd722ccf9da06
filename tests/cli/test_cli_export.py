"""`charrnn export`: pages and ONNX files, what is measured and printed, and mistakes in one line."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from program import TEXT, Charrnn


def test_page_has_both_models_and_says_what_it_cost(charrnn: Charrnn, models: Path) -> None:
    made = charrnn("export", "text-lstm", "text-tuned-3", "--to", "page.html", "--prime", "To be", "--temp", 0.5)
    assert made.status == 0, made.err
    assert made.out == b""
    assert made.err.count("characters of held-out text") == 2
    assert "weights rounded to" in made.err
    assert "100.0% of the n-grams kept" in made.err
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count('class="model"') == 2
    assert ">To be</textarea>" in page
    assert 'value="0.5"' in page
    assert str(Path.cwd()) not in page


def test_page_of_one_model_has_its_name(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("export", "text-lstm").status == 0
    before = Path("text-lstm.html").read_bytes()
    assert charrnn("export", "text-lstm", "--title", "Hamlet").status == 0  # a page of charrnn may be replaced
    assert Path("text-lstm.html").read_bytes() != before


def test_page_without_its_text_is_measured_on_what_the_model_writes(charrnn: Charrnn, models: Path) -> None:
    Path("text.txt").unlink()
    made = charrnn("export", "text-tuned-3")
    assert made.status == 0
    assert "the training text is not at hand" in made.err
    assert "characters that the model wrote" in made.err


def test_text_of_another_place_is_used(charrnn: Charrnn, models: Path) -> None:
    Path("text.txt").rename("other.txt")
    made = charrnn("export", "text-tuned-3", "--text", "other.txt")
    assert f"{round(len(TEXT) * 0.1):,} characters of held-out text" in made.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "page.txt"), "must end with .html (a page) or .onnx (an ONNX graph)"),
        (("--to", "text.html"), "text.html: exists; use --force to overwrite it"),
        (("--to", "text.txt/page.html"), "--to"),
        (("--max-size", 0.01), "raise --max-size, or export a smaller model"),
        (("--max-size", "nan"), "--max-size nan: must be more than 0, and at most 500"),
        (("--temp", 3), "--temp 3: must be from 0 to 2, as on the page"),
        (("--length", 0), "--length"),
    ],
)
def test_mistake_is_one_line(charrnn: Charrnn, models: Path, words: tuple[object, ...], message: str) -> None:
    Path("text.html").write_text("mine", encoding="utf-8")
    made = charrnn("export", "text-tuned-3", *words)
    assert made.status in (1, 2)
    assert made.err.splitlines()[-1].startswith("charrnn: ")
    assert message in made.err
    assert Path("text.html").read_text(encoding="utf-8") == "mine"


def test_ngrams_are_pruned_to_fit(charrnn: Charrnn, models: Path) -> None:
    letters = np.random.default_rng(0).choice(list("abcdefgh "), 20_000)
    Path("long.txt").write_text("".join(letters), encoding="utf-8")
    assert charrnn("ngram", "long.txt", "--order", 9, "--out", "checkpoints/large.safetensors").status == 0
    whole = charrnn("export", "large", "--to", "whole.html")
    assert "100.0% of the n-grams kept" in whole.err
    limit = Path("whole.html").stat().st_size / 1e6 - 0.02
    pruned = charrnn("export", "large", "--to", "pruned.html", "--max-size", limit)
    assert pruned.status == 0, pruned.err
    assert "of the n-grams kept" in pruned.err
    assert "100.0%" not in pruned.err
    assert Path("pruned.html").stat().st_size <= limit * 1e6


def test_counts_with_probability_0_are_exported(charrnn: Charrnn, models: Path) -> None:
    """Their score is infinite, so there is no loss to measure."""
    Path("letters.txt").write_text("abc" * 300 + "acb" * 30, encoding="utf-8")
    assert charrnn("ngram", "letters.txt", "--smoothing", "ml", "--out", "counts.safetensors").status == 0
    made = charrnn("export", "counts.safetensors", "--to", "counts.html")
    assert made.status == 0, made.err
    assert "not measured: infinite bits/char on" in made.err
    assert "have probability 0." in Path("counts.html").read_text(encoding="utf-8")


def test_longest_match_is_refused(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("ngram", "text.txt", "--smoothing", "longest", "--out", "long.safetensors").status == 0
    failed = charrnn("export", "long.safetensors", "--to", "long.html")
    assert failed.status == 2
    assert "longest-match models cannot be exported" in failed.err
    assert not Path("long.html").exists()


@pytest.mark.skipif(not importlib.util.find_spec("onnx"), reason="needs onnx: pip install onnx")
def test_onnx_file_is_written(charrnn: Charrnn, models: Path) -> None:
    made = charrnn("export", "text-lstm", "--to", "model.onnx")
    assert made.status == 0, made.err
    assert Path("model.onnx").stat().st_size > 1000
    assert charrnn("export", "text-tuned-3", "--to", "b.onnx").failed_with(2, "only networks can be exported to ONNX")
    both = charrnn("export", "text-lstm", "text-tuned-3", "--to", "c.onnx")
    assert both.failed_with(2, "an ONNX file has one model, and there are 2")


def test_onnx_without_its_package_is_one_line(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert charrnn("export", "text-lstm", "--to", "a.onnx").failed_with(2, "try `pip install onnx`")
