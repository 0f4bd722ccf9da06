"""Bad checkpoints on the command line: one line, exit status 1, and no traceback."""

import os
import pickle
from pathlib import Path

import pytest
from program import SMALL, Charrnn


@pytest.fixture
def bad(models: Path) -> Path:
    """The newest checkpoint of several, cut off."""
    path = models / "bad.safetensors"
    path.write_bytes((models / "text-lstm.safetensors").read_bytes()[:-10])
    return path


def test_command_with_damaged_checkpoint_is_one_line(charrnn: Charrnn, bad: Path) -> None:
    for words in (
        ("sample", "bad"),
        ("sample",),  # the newest
        ("score", "bad", "--text", "text.txt"),
        ("compare", "bad"),
        ("view", "bad"),
        ("compare", "text-tuned-3", "bad"),
        ("train", "text.txt", *SMALL, "--out", "new", "--init-from", "bad"),
        ("train", "text.txt", "--resume-from", bad),
    ):
        result = charrnn(*words)
        assert result.failed_with(
            1, "bad.safetensors: is truncated: expected ", " bytes, found ", "copy or make the file again"
        ), words


def test_compare_leaves_out_damaged_checkpoint(charrnn: Charrnn, bad: Path) -> None:
    os.utime(bad, (0, 0))
    result = charrnn("compare", "--novelty-length", 0, "--length", 5)
    assert result.status == 0
    assert "skipped: checkpoints/bad.safetensors: is truncated" in result.err


def test_file_of_another_program_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    (folder / "model.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    result = charrnn("sample", "model.pt")
    assert result.failed_with(1, "model.pt: expected a safetensors file, found a pickle", "it could run code")


def test_resume_with_damaged_last_state_uses_previous_state(charrnn: Charrnn, folder: Path) -> None:
    words = ("train", "text.txt", *SMALL[:4], "--steps", 4, "--save-every", 2, "--validate-every", 2, "--out", "it")
    assert charrnn(*words).status == 0
    last = folder / "checkpoints" / "it-last.safetensors"
    whole = last.read_bytes()
    spoiled = bytearray(whole)
    spoiled[-1] ^= 1
    last.write_bytes(spoiled)
    result = charrnn("train", "text.txt", "--out", "it", "--resume")
    assert result.status == 0
    assert "it-previous.safetensors: after step 2/4" in result.err
    last.write_bytes(spoiled)
    (folder / "checkpoints" / "it-previous.safetensors").write_bytes(whole[:50])
    result = charrnn("train", "text.txt", "--out", "it", "--resume")
    assert result.failed_with(1, "it-last.safetensors: is damaged", "expected the checksum")
