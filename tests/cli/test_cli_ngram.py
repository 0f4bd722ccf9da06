"""`charrnn ngram`: what it prints and keeps, and what it refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import start_together
from program import Charrnn

from charrnn.checkpoint import load
from charrnn.config import SMOOTHINGS
from charrnn.models.ngram.model import NgramModel


@pytest.mark.parametrize("smoothing", [name for name in SMOOTHINGS if name != "longest"])
def test_ngram_counts_scores_and_saves(charrnn: Charrnn, folder: Path, smoothing: str) -> None:
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
    saved = load(path).metadata.validation
    assert saved is not None
    assert saved.bits_per_char == facts["bits_per_char"]
    assert f"{facts['bits_per_char']:.4f} bits/char" in result.err


def test_ngram_by_default_is_tuned_of_order_9_or_8(charrnn: Charrnn, folder: Path) -> None:
    assert json.loads(charrnn("ngram", "text.txt", "--json").text)["model"] == "tuned order 9"
    assert (folder / "checkpoints" / "text-tuned-9.safetensors").is_file()
    assert json.loads(charrnn("ngram", "text.txt", "--bytes", "--json").text)["model"] == "tuned order 8"


def test_ngram_longest_samples_the_text_it_repeats(charrnn: Charrnn, folder: Path) -> None:
    """The held-out part goes on with the two lines that the text repeats, so its matches are as long as it is."""
    facts = json.loads(charrnn("ngram", "text.txt", "--smoothing", "longest", "--json").text)
    assert (facts["model"], facts["entries"]) == ("longest match", 1530)
    assert facts["bits_per_char"] < 0.2
    written = charrnn("sample", "text-longest", "--prime", "To be, or", "--length", 20).text
    assert written == "To be, or not to be: that is "


def test_ngram_online_is_reported_apart(charrnn: Charrnn) -> None:
    result = charrnn("ngram", "text.txt", "--order", 3, "--online", "--json")
    facts = json.loads(result.text)
    assert facts["rule"] == "static, full"
    assert facts["online"]["rule"] == "online, full"
    assert facts["online"]["characters"] == facts["characters"] == 170
    assert 0 < facts["online"]["bits_per_char"] != facts["bits_per_char"]
    assert f"online      {facts['online']['bits_per_char']:.4f} bits/char" in result.err


def test_ngram_prune_is_named_and_smaller(charrnn: Charrnn) -> None:
    whole = json.loads(charrnn("ngram", "text.txt", "--json").text)
    less = json.loads(charrnn("ngram", "text.txt", "--prune", 1, "--json").text)
    assert less["model"] == "tuned order 9, pruned to 2"
    assert less["checkpoint"] == "checkpoints/text-tuned-9-prune-1.safetensors"
    assert less["entries"] < whole["entries"]


@pytest.mark.parametrize("processes", [2, 3])
def test_ngram_in_several_processes_equals_one(charrnn: Charrnn, folder: Path, processes: int) -> None:
    """All entries of the model are those of one process; the first alone speaks."""
    (folder / "odd.txt").write_text("".join(map(chr, np.random.default_rng(0).zipf(1.5, 700) % 200 + 48)), "utf-8")
    assert charrnn("ngram", "odd.txt", "--out", "one").status == 0
    started = start_together(folder, processes, "ngram", "odd.txt", "--out", "together", "--json")
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * processes
    assert json.loads((folder / "out.txt").read_text())["model"] == "tuned order 9"
    assert (folder / "err.txt").read_text().count("n-grams") == 1
    one, together = (load(folder / "checkpoints" / f"{name}.safetensors").model for name in ("one", "together"))
    assert isinstance(one, NgramModel)
    assert isinstance(together, NgramModel)
    expected, found = one.tensors(), together.tensors()
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("name", "message"), [("none.txt", "not found, here or in data/"), ("bad.txt", "byte 3 (0xFF) is not utf-8")]
)
def test_ngram_error_in_several_processes_is_printed_once(folder: Path, name: str, message: str) -> None:
    (folder / "bad.txt").write_bytes(b"abc\xff" * 300)
    processes = start_together(folder, 2, "ngram", name)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [1, 1]
    assert (folder / "err.txt").read_text().startswith(f"charrnn: {name}: {message}")
    assert (folder / "err.txt").read_text().count("\n") == 1


def test_ngram_infinite_score_is_null_in_json(charrnn: Charrnn, folder: Path) -> None:
    """It is null in JSON, which knows no infinity, and words for people."""
    (folder / "odd.txt").write_text("ab" * 450 + "aabb" * 25, encoding="utf-8")
    result = charrnn("ngram", "odd.txt", "--smoothing", "ml", "--order", 3, "--json")
    facts = result.json()
    assert facts["bits_per_char"] is None
    assert facts["nats_per_char"] is None
    assert 0.4 < facts["impossible_share"] < 0.6
    assert "infinite: " in result.err
    assert "% of the characters have probability 0" in result.err


def test_ngram_without_validation_part_has_no_score(charrnn: Charrnn) -> None:
    """`--val-fraction 0` once was a TypeError, after the counting and the saving."""
    result = charrnn("ngram", "text.txt", "--val-fraction", 0, "--json")
    assert result.status == 0
    assert "bits_per_char" not in json.loads(result.text)
    assert "not scored: there is no validation set" in result.err


def test_ngram_overwrites_only_the_same_model(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 3, "--out", "it").status == 0
    assert charrnn("ngram", "text.txt", "--order", 3, "--out", "it").status == 0
    for other in (("--order", 4), ("--order", 3, "--val-fraction", 0.2)):
        result = charrnn("ngram", "text.txt", *other, "--out", "it")
        assert result.failed_with(
            2, "checkpoints/it.safetensors: exists; use --force to overwrite, or --out for another name"
        )
    assert charrnn("ngram", "text.txt", "--order", 4, "--out", "it", "--force").status == 0


def test_ngram_of_order_1_can_be_sampled(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 1).status == 0
    assert len(charrnn("sample", "--length", 50).text) == 50


def test_ngram_bytes_has_a_vocabulary_of_256(charrnn: Charrnn, folder: Path) -> None:
    (folder / "raw.bin").write_bytes(bytes(range(256)) * 8)
    assert charrnn("ngram", "raw.bin").failed_with(1, "byte 128 (0x80) is not utf-8", "--bytes")
    assert "2,048 bytes, vocabulary size 256" in charrnn("ngram", "raw.bin", "--bytes", "--order", 2).err


def test_ngram_unwritable_out_fails_before_counting(charrnn: Charrnn, folder: Path) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    assert charrnn("ngram", "text.txt", "--out", "file/x").failed_with(1, "file: cannot write to this folder", "--out")
    assert charrnn("ngram", "text.txt", "--out", "/proc/x").failed_with(
        1, "/proc: cannot write to this folder", "--out"
    )


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
def test_ngram_out_names_the_file(charrnn: Charrnn, folder: Path, out: str, place: str) -> None:
    assert charrnn("ngram", "text.txt", "--order", 2, "--out", out).status == 0
    assert (folder / place).is_file()


def test_blend_is_better_and_keeps_counting(charrnn: Charrnn, folder: Path) -> None:
    plain = charrnn("ngram", "text.txt", "--order", 5, "--json").json()
    result = charrnn("ngram", "text.txt", "--order", 5, "--blend", "--online", "--json")
    blend = result.json()
    assert (blend["kind"], blend["model"]) == ("ngram", "blend of tuned order 5")
    assert blend["entries"] > plain["entries"]
    assert 0 < blend["online"]["bits_per_char"] < 1
    assert (folder / "checkpoints/text-blend-tuned-5.safetensors").exists()
    assert charrnn("ngram", "text.txt", "--order", 5, "--blend").status == 0  # the same fit may be overwritten
    assert charrnn("sample", "text-blend-tuned-5", "--length", 20, "--seed", 1).status == 0
    online = charrnn("score", "text-blend-tuned-5", "--online", "--json").json()
    assert online["online"]["bits_per_char"] == pytest.approx(blend["online"]["bits_per_char"])


@pytest.mark.parametrize("smoothing", ["ml", "longest"])
def test_blend_of_counts_without_smoothing_is_refused(charrnn: Charrnn, smoothing: str) -> None:
    assert charrnn("ngram", "text.txt", "--blend", "--smoothing", smoothing).failed_with(2, f"--smoothing {smoothing}")
