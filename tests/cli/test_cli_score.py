"""`charrnn score`: what it prints, and what it refuses."""

import json
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import load


def test_the_held_out_part(charrnn: Charrnn, models: Path) -> None:
    result = charrnn("score", "text-lstm", "--json")
    facts = json.loads(result.text)
    saved = load(models / "text-lstm.safetensors").facts.validation
    assert result.status == 0
    assert saved is not None
    assert facts["bits_per_char"] == saved.bits_per_char
    assert (facts["characters"], facts["part"], facts["rule"]) == (170, "validation", "static, full")
    assert "online" not in facts
    assert "bits per character" in result.err


def test_the_newest_is_the_default(charrnn: Charrnn, models: Path) -> None:
    assert json.loads(charrnn("score", "--json").text)["kind"] == "ngram"


def test_another_text_is_scored_as_a_whole(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text(TEXT[:300], encoding="utf-8")
    facts = json.loads(charrnn("score", "text-lstm", "other.txt", "--json").text)
    assert (facts["characters"], facts["part"], facts["split"]) == (300, "all", "0/0/100")


@pytest.mark.parametrize("name", ["text-lstm", "text-tuned-3"])
def test_windows_and_online_stand_beside_it(charrnn: Charrnn, models: Path, name: str) -> None:
    facts = json.loads(charrnn("score", name, "--window", 16, "--online", "--json").text)
    assert facts["rule"] == "static, full"
    assert facts["window"]["rule"] == "static, window 16"
    assert facts["window"]["characters"] == 169
    assert facts["online"]["rule"] == "online, full"
    assert facts["online"]["bits_per_char"] != facts["bits_per_char"]


def test_a_mixture_is_scored_like_any_other(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    facts = json.loads(charrnn("score", "--window", 16, "--online", "--json").text)
    assert facts["kind"] == "mixture"
    assert facts["online"]["bits_per_char"] > 0


def test_what_cannot_learn(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("ngram", "text.txt", "--smoothing", "longest").status == 0
    assert charrnn("score", "text-longest", "--online").failed_with(2, "the longest match cannot count on")
    assert charrnn("score", "nothing").failed_with(1, "nothing: there is no such file")
