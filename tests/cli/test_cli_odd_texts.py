"""Texts of one character, of two, of ten in all; encodings, normal forms and escapes, through the commands."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from program import Charrnn
from rich.text import Text

from charrnn.cli.main import MARKUP
from charrnn.training.budget import estimate

TINY = ("--hidden", "8", "--layers", "1", "--steps", "5")
DEGENERATE = {
    "one kind": "a" * 2000,
    "two kinds": "ab" * 3 + "a" * 500 + "b" * 500,
    "ten in all": "abcdefghij",
    "one period": "ab" * 1000,
    "short": "to be or not to be, that is the question\n",
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_text_works_or_is_one_line(
    name: str, charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of 0 was taken for an explosion."""
    if name != "ten in all":  # the shortest, for which the speed of the smallest batch is measured; that takes a while
        monkeypatch.setattr(estimate, "measure_speed", lambda *_: 40_000.0)
    (folder / "odd.txt").write_text(DEGENERATE[name])
    commands = [
        ("train", "odd.txt", *TINY, "--out", "net"),
        ("train", "odd.txt", *TINY, "--cell", "mingru", "--out", "min"),
        ("train", "odd.txt", *TINY, "--with-ngram", "--out", "mixed"),
        ("ngram", "odd.txt", "--out", "counts"),
        ("sample", "net", "--length", "20"),
        ("sample", "counts", "--length", "20"),
        ("score", "net"),
        ("score", "counts"),
        ("compare", "net", "counts", "--novelty-length", "200", "--length", "50"),
        ("data", "inspect", "odd.txt", "--device", "cpu"),
        ("view", "net"),
    ]
    made = set()
    for words in commands:
        if words[0] == "view":
            pytest.importorskip("matplotlib")
        found = charrnn(*words)
        assert "Traceback" not in found.err
        if found.status:
            line = [line for line in found.err.splitlines() if line.startswith("charrnn: ") and "note" not in line]
            assert len(line) == 1, (words, found.err)
        made |= {words[words.index("--out") + 1]} if found.status == 0 and "--out" in words else set()
    if name in ("one kind", "two kinds", "one period"):
        assert {"net", "min", "mixed", "counts"} <= made


ENCODED = {
    "latin-1": "Äpfel und Öl, für größere Füße.\n" * 60,
    "gb18030": "天地玄黄,宇宙洪荒。\n" * 60,
    "utf-16": "Съешь ещё этих мягких булок.\n" * 60,
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_model_reads_texts_in_the_encoding_of_its_own(encoding: str, charrnn: Charrnn, folder: Path) -> None:
    text = ENCODED[encoding]
    (folder / "own.txt").write_bytes(text.encode(encoding))
    (folder / "other.txt").write_bytes(text[:200].encode("utf-8"))
    (folder / "prime.txt").write_bytes(text[:6].encode(encoding))
    (folder / "sources.txt").write_bytes(f"{text[:5]}\n{text[:4]}\n".encode(encoding))
    assert charrnn("train", "own.txt", *TINY, "--encoding", encoding, "--out", "net").status == 0
    found = charrnn("sample", "net", "--prime-file", "prime.txt", "--length", 5)
    assert found.text.startswith(text[:6]), found.err
    found = charrnn("sample", "net", "--prime-file", "other.txt", "--encoding", "utf-8", "--length", 5)
    assert found.text.startswith(text[:100]), found.err
    assert charrnn("complete", "net", "sources.txt", "--sep", text[3], "--length", 5).status == 0
    for words in (
        ("score", "net", "--text", "own.txt"),
        ("compare", "net", "--text", "own.txt", "--baselines", "none"),
    ):
        found = charrnn(*words)
        assert found.status == 0, found.err
    for words in (
        ("score", "net", "--text", "other.txt"),
        ("compare", "net", "--text", "other.txt", "--novelty-length", "0"),
    ):
        found = charrnn(*words, "--encoding", "utf-8")
        assert found.status == 0, found.err


def test_prime_in_another_encoding_names_the_option(charrnn: Charrnn, folder: Path) -> None:
    (folder / "own.txt").write_bytes(ENCODED["utf-16"].encode("utf-16"))
    (folder / "prime.txt").write_bytes(b"abc")
    assert charrnn("train", "own.txt", *TINY, "--encoding", "utf-16", "--out", "net").status == 0
    found = charrnn("sample", "net", "--prime-file", "prime.txt")
    assert found.failed_with(1, "--prime-file prime.txt: not utf-16", "try --encoding")


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "text-lstm", "--prime-file", "text.txt"),
        ("complete", "text-lstm", "text.txt", "--sep", " "),
        ("score", "text-lstm", "--text", "text.txt"),
        ("compare", "text-lstm", "--text", "text.txt"),
    ],
)
def test_encoding_that_does_not_exist_is_one_line(words: tuple[str, ...], charrnn: Charrnn, models: Path) -> None:
    found = charrnn(*words, "--encoding", "abacus")
    assert found.status == 2
    assert "--encoding abacus: unknown encoding" in found.err


def test_options_with_text_decode_escapes(charrnn: Charrnn, models: Path) -> None:
    found = charrnn("sample", "text-lstm", "--prime", r"to be\nor", "--length", 3)
    assert found.text.startswith("to be\nor")
    found = charrnn("compare", "text-lstm", "--prime", r"be\n", "--baselines", "none", "--json")
    assert found.status == 0, found.err
    found = charrnn("sample", "text-lstm", "--prime", r"to\be")
    assert found.failed_with(2, r"\b: not an escape sequence; use \n for a line end, \\ for a backslash")


@pytest.mark.parametrize(("form", "typed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_prime_in_another_normal_form_is_converted(form: str, typed: str, charrnn: Charrnn, folder: Path) -> None:
    text = unicodedata.normalize(form, "été à la forêt, où l'on est né\n" * 60)  # type: ignore[arg-type]
    (folder / "french.txt").write_text(text, encoding="utf-8")
    assert charrnn("train", "french.txt", *TINY, "--out", "net").status == 0
    prime = unicodedata.normalize(typed, "été")  # type: ignore[arg-type]
    found = charrnn("sample", "net", "--prime", prime, "--length", 3)
    assert found.text.startswith(unicodedata.normalize(form, "été"))  # type: ignore[arg-type]
    assert f"prompt converted to Unicode form {form}" in found.err


def test_until_with_unknown_characters_is_one_line(charrnn: Charrnn, models: Path) -> None:
    found = charrnn("sample", "text-lstm", "--until", "€")
    assert found.failed_with(2, "--until '€': the model cannot generate '€'", "use another text")


def test_checkpoint_beside_a_text_of_its_name_is_used(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "text-lstm").write_text("a text that has the name of the checkpoint")
    found = charrnn("sample", "text-lstm", "--length", 5)
    assert found.status == 0, found.err
    (folder / "poems.safetensors").write_text("no checkpoint at all")
    found = charrnn("sample", "poems.safetensors")
    assert found.failed_with(1, "poems.safetensors: not a safetensors file")


def test_pattern_below_a_folder_with_brackets_matches(charrnn: Charrnn, folder: Path) -> None:
    (folder / "[2024] logs").mkdir()
    for name in ("a", "b"):
        (folder / "[2024] logs" / f"{name}.txt").write_text("to be or not to be\n" * 20)
    found = charrnn("ngram", "[2024] logs/*.txt", "--order", 3, "--out", "logs")
    assert found.status == 0, found.err
    assert "1 more file" in found.err


def test_square_brackets_are_not_markup(charrnn: Charrnn) -> None:
    """In help, where typer reads markup; and in mistakes."""
    text = "needs [this] or [/that], from [0, 1]"
    assert Text.from_markup(MARKUP.sub(r"\\\1", text)).plain == text
    assert "[this]" in charrnn("train", "[this].txt").err
    assert "[/b]" in charrnn("sample", "[/b]").err


def test_prime_is_utf8_in_any_locale(charrnn: Charrnn, folder: Path) -> None:
    """torch-rnn issue 133: `-start_text` failed with UTF-8. In the C locale Python takes it for single bytes."""
    (folder / "french.txt").write_text("été à la forêt\n" * 60, encoding="utf-8")
    c_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = os.environ | c_locale | {"PYTHONPATH": str(Path(__file__).parents[2])}
    assert charrnn("ngram", "french.txt", "--order", 3, "--out", "it").status == 0
    words = [sys.executable, "-m", "charrnn", "sample", "it", "--prime", "été"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=True)
    assert done.stdout.decode("utf-8").startswith("été")
