"""`charrnn ngram`: what it prints and keeps, and what it refuses."""

import json
import math
from pathlib import Path

import pytest
from program import Charrnn

from charrnn.checkpoint import load
from charrnn.config import SMOOTHINGS


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_it_counts_scores_and_saves(charrnn: Charrnn, folder: Path, smoothing: str) -> None:
    result = charrnn("ngram", "text.txt", "--order", 4, "--smoothing", smoothing, "--json")
    facts = json.loads(result.text)
    path = folder / "checkpoints" / f"text-{smoothing}-4.safetensors"
    assert result.status == 0
    assert facts["checkpoint"] == f"checkpoints/{path.name}"
    assert (facts["kind"], facts["model"], facts["split"]) == ("ngram", f"{smoothing} order 4", "90/10/0")
    assert facts["characters"] == 170
    assert 0 < facts["bits_per_char"] < 2
    assert facts["nats_per_char"] == pytest.approx(facts["bits_per_char"] * math.log(2))
    assert facts["bytes"] == path.stat().st_size
    saved = load(path).facts.validation
    assert saved is not None
    assert saved.bits_per_char == facts["bits_per_char"]
    assert f"{facts['bits_per_char']:.4f} bits per character" in result.err


def test_an_infinite_score(charrnn: Charrnn, folder: Path) -> None:
    """It is null in JSON, which knows no infinity, and words for people."""
    (folder / "odd.txt").write_text("ab" * 450 + "aabb" * 25, encoding="utf-8")
    result = charrnn("ngram", "odd.txt", "--smoothing", "ml", "--order", 3, "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    facts = json.loads(result.text, parse_constant=refuse)
    assert facts["bits_per_char"] is None
    assert facts["nats_per_char"] is None
    assert 0.4 < facts["impossible_share"] < 0.6
    assert "infinite, " in result.err
    assert "% of characters have probability 0" in result.err


def test_without_a_validation_part(charrnn: Charrnn) -> None:
    """`--val-fraction 0` once was a TypeError, after the counting and the saving."""
    result = charrnn("ngram", "text.txt", "--val-fraction", 0, "--json")
    assert result.status == 0
    assert "bits_per_char" not in json.loads(result.text)
    assert "none was held out" in result.err


def test_the_same_again_is_no_loss_but_another_is(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 3, "--out", "it").status == 0
    assert charrnn("ngram", "text.txt", "--order", 3, "--out", "it").status == 0
    for other in (("--order", 4), ("--order", 3, "--val-fraction", 0.2)):
        result = charrnn("ngram", "text.txt", *other, "--out", "it")
        assert result.failed_with(2, "checkpoints/it.safetensors: exists; say --force to overwrite it, or --out NAME")
    assert charrnn("ngram", "text.txt", "--order", 4, "--out", "it", "--force").status == 0


def test_order_1(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 1).status == 0
    assert len(charrnn("sample", "--length", 50).text) == 50


def test_bytes_have_a_vocabulary_of_256(charrnn: Charrnn, folder: Path) -> None:
    (folder / "raw.bin").write_bytes(bytes(range(256)) * 8)
    assert charrnn("ngram", "raw.bin").failed_with(1, "byte 128 (0x80) is not utf-8", "--bytes")
    assert "2,048 characters, 256 different" in charrnn("ngram", "raw.bin", "--bytes", "--order", 2).err


def test_places_that_cannot_be_written_are_found_before_the_work(charrnn: Charrnn, folder: Path) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    assert charrnn("ngram", "text.txt", "--out", "file/x").failed_with(1, "file: cannot be written to", "--out")
    assert charrnn("ngram", "text.txt", "--out", "/proc/x").failed_with(1, "/proc: cannot be written to", "--out")


@pytest.mark.parametrize(
    ("out", "place"),
    [
        ("a", "checkpoints/a.safetensors"),
        ("a.b", "checkpoints/a.b.safetensors"),
        ("a.safetensors", "checkpoints/a.safetensors"),
        ("new/folder/a", "new/folder/a.safetensors"),
        ("./a", "a.safetensors"),
        ("sp ace", "checkpoints/sp ace.safetensors"),
    ],
)
def test_where_out_is(charrnn: Charrnn, folder: Path, out: str, place: str) -> None:
    assert charrnn("ngram", "text.txt", "--order", 2, "--out", out).status == 0
    assert (folder / place).is_file()
