"""`charrnn inspect`: what it shows of checkpoints, and what it says of texts."""

import json
from pathlib import Path
from typing import Any

import pytest
from program import SMALL, TEXT, Charrnn, Outcome

from charrnn import __version__
from charrnn.checkpoint import load
from charrnn.training.step import StopFlag


def read(result: Outcome) -> dict[str, Any]:
    assert result.status == 0, result.err
    assert result.err == ""
    facts: dict[str, Any] = json.loads(result.text)
    return facts


def test_inspect_network_shows_its_metadata(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "text-lstm", "--json"))
    saved = load(models / "text-lstm.safetensors")
    assert saved.metadata.validation
    assert facts["bits_per_char"] == saved.metadata.validation.bits_per_char
    assert (facts["kind"], facts["model"], facts["steps"], facts["version"]) == (
        "recurrent",
        "lstm 1x8",
        3,
        __version__,
    )
    assert (facts["format"], facts["progress"]) == (1, None)
    assert facts["checksums"] == {"header": True, "tensors": 7, "of_tensors": 7}
    assert facts["text"]["corpus"]["val_fraction"] == 0.1
    assert (facts["vocab_size"], facts["vocabulary"]) == (24, sorted(set(TEXT)))
    assert facts["training"]["steps"] == 3
    assert facts["command"][1:] == ["train", "text.txt", *SMALL]
    tensors = {one["name"]: one for one in facts["tensors"]}
    assert tensors["embedding.weight"] == {
        "name": "embedding.weight", "dtype": "float32", "shape": [24, 8], "bytes": 768, "has_checksum": True,
    }  # fmt: skip
    assert sum(one["bytes"] for one in facts["tensors"]) == 4 * facts["parameters"] < facts["bytes"]
    result = charrnn("inspect", "text-lstm")
    assert (result.status, result.out) == (0, b"")
    for part in (
        "recurrent, format 1",
        "lstm 1x8, 984 parameters",
        r"'\n' (U+000A)",
        "--steps 3",
        "24 x 8",
        "--hidden 8",
    ):
        assert part in result.err, part


def test_inspect_last_state_shows_the_progress(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "text-lstm-last", "--json"))
    assert facts["progress"]["number"] == 3
    assert any(one["name"].startswith("training.optimizer.") for one in facts["tensors"])
    assert facts["checksums"]["tensors"] == len(facts["tensors"])
    assert "progress    step 3 of 3" in charrnn("inspect", "text-lstm-last").err


def test_inspect_unfinished_training_shows_its_score_and_how_to_resume(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last state has a score only among the figures of its progress, and was once said to have none."""
    steps = iter(range(1, 10))

    def stop_after_three(stop: StopFlag) -> bool:
        stop.requested = next(steps) > 3
        stop.exit_status = 130
        return False

    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "take_save_request", stop_after_three)
        stopped = charrnn("train", "text.txt", "--hidden", 8, "--steps", 9, "--validate-every", 1)
    assert stopped.status == 130
    shown = charrnn("inspect", "text-lstm-last").err
    assert " of 9, " in shown
    assert "best validation " in shown
    assert "nothing was held out" not in shown
    assert "resume with charrnn train text.txt --resume-from checkpoints/text-lstm-last.safetensors\n" in shown


def test_inspect_ngram_model_shows_its_entries(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "--json"))  # the newest
    (part,) = facts["parts"]
    assert (facts["kind"], part["entries"][0], sum(part["entries"])) == ("ngram", 24, facts["entries"])
    assert [one["name"] for one in facts["tensors"]][::4] == ["1.backoffs", "2.backoffs", "3.backoffs"]
    assert facts["checksums"] == {"header": True, "tensors": 0, "of_tensors": 12}
    assert "order 1: 24, order 2: " in charrnn("inspect").err


def test_inspect_mixture_shows_its_parts(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    assert [part["name"] for part in read(charrnn("inspect", "--json"))["parts"]] == [
        "network",
        "counts",
        "short",
        "folded",
        "gate",
    ]
    assert "counts      tuned order 9" in charrnn("inspect").err
    assert charrnn("ngram", "text.txt", "--smoothing", "longest").status == 0
    assert read(charrnn("inspect", "--json"))["parts"][0]["entries"] is None
    assert "longest match" in charrnn("inspect", "text-longest").err


def test_inspect_damaged_checkpoint_is_one_line(charrnn: Charrnn, models: Path) -> None:
    whole = (models / "text-lstm.safetensors").read_bytes()
    (models / "cut.safetensors").write_bytes(whole[:-1])
    assert charrnn("inspect", "cut").failed_with(1, "cut.safetensors: is truncated")
    (models / "flipped.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert charrnn("inspect", "flipped").failed_with(1, "expected the checksum")
    (models / "new.safetensors").write_bytes(whole.replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    assert charrnn("inspect", "new").failed_with(1, "made by a newer version of charrnn; upgrade charrnn")
    (models / "other.pt").write_bytes(b"PK\x03\x04")
    assert charrnn("inspect", models / "other.pt").failed_with(1, "a PyTorch file (ZIP), which charrnn does not open")


def test_inspect_renamed_checkpoint_is_recognized(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (models / "text-lstm.safetensors").rename(folder / "renamed.txt")
    assert read(charrnn("inspect", "renamed.txt", "--json"))["kind"] == "recurrent"


def test_inspect_checkpoint_beside_a_text_of_its_name_shows_the_checkpoint(charrnn: Charrnn, models: Path) -> None:
    Path("data").mkdir()
    for path in (Path("data/text-lstm.txt"), Path("text-lstm")):
        path.write_text(TEXT, encoding="utf-8")
    assert read(charrnn("inspect", "text-lstm", "--json"))["kind"] == "recurrent"


@pytest.mark.parametrize("name", ["text.txt", "text-lstm.txt", "shakespeare", "-", "*.txt"])
def test_inspect_text_names_the_command_for_texts(charrnn: Charrnn, models: Path, name: str) -> None:
    Path("data").mkdir()
    Path("data/text-lstm.txt").write_text(TEXT, encoding="utf-8")
    quoted = {"*.txt": "'*.txt'"}.get(name, name)
    assert charrnn("inspect", name).failed_with(
        2, f"{name} is a text, not a checkpoint; try `charrnn data inspect {quoted}`"
    )


def test_inspect_several_names_is_one_line(charrnn: Charrnn, models: Path) -> None:
    Path("b.txt").write_text(TEXT, encoding="utf-8")
    wrong = charrnn("inspect", "text.txt", "b.txt")
    assert wrong.failed_with(2, "text.txt is a text, not a checkpoint; try `charrnn data inspect text.txt b.txt`")
    assert charrnn("inspect", "text-lstm", "text-lstm-last").failed_with(2, "shows one checkpoint at a time")


@pytest.mark.parametrize(
    "words", [("--no-advice",), ("--device", "cpu"), ("--lower",), ("--encoding", "latin-1"), ("--minutes", "3")]
)
def test_inspect_option_of_texts_names_the_command_for_texts(charrnn: Charrnn, words: tuple[str, ...]) -> None:
    found = charrnn("inspect", "text.txt", *words)
    assert found.failed_with(2, f"{words[0]}: no such option", "use `charrnn data inspect TEXT`")


def test_inspect_name_of_nothing_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("inspect", "nothing").failed_with(1, "nothing: not found")
    assert charrnn("inspect", "no.safetensors").failed_with(1, "no.safetensors: not found")
    assert charrnn("inspect").failed_with(1, "checkpoints/: contains no checkpoint")
    assert charrnn("inspect", folder).status == 1
