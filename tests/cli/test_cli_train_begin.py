"""`charrnn train --resume` and `--init-from`."""

import json
import re
from pathlib import Path

import pytest
import torch
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import Checkpoint, load
from charrnn.models.rnn.model import RecurrentModel


def checkpoint(folder: Path, name: str) -> Checkpoint:
    return load(folder / "checkpoints" / f"{name}.safetensors")


def network(folder: Path, name: str) -> RecurrentModel:
    model = checkpoint(folder, name).model
    assert isinstance(model, RecurrentModel)
    return model


def test_resume_without_state_begins(charrnn: Charrnn) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--resume")
    assert result.status == 0
    assert "no checkpoint to resume at checkpoints/text-lstm.safetensors; starting a new run" in result.err


def test_resume_of_finished_training_shows_result_again(charrnn: Charrnn) -> None:
    first = json.loads(charrnn("train", "text.txt", *SMALL, "--json").text)
    last = "checkpoints/text-lstm-last.safetensors"
    for words in (("--resume",), ("--resume-from", last), ("--resume-from=text-lstm",)):
        result = charrnn("train", "text.txt", *words, "--json")
        assert "after step 3/3" in result.err
        again = json.loads(result.text)
        assert {name for name in first if first[name] != again[name]} <= {"fit_seconds", "bytes"}  # the command's


@pytest.mark.parametrize("words", [("--resume=a.safetensors",), ("--resume", "a.safetensors")])
def test_resume_with_a_file_is_one_line_with_the_new_spelling(charrnn: Charrnn, words: tuple[str, ...]) -> None:
    assert charrnn("train", "text.txt", *words).failed_with(2, "--resume", "--resume-from")


def test_resume_before_the_text_takes_no_value(charrnn: Charrnn) -> None:
    assert charrnn("train", "--resume", "text.txt", *SMALL).status == 0


def test_resume_with_other_text_is_refused(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--out", "it").status == 0
    (folder / "other.txt").write_text(TEXT[::-1], encoding="utf-8")
    result = charrnn("train", "other.txt", "--out", "it", "--resume")
    assert result.failed_with(1, "was trained on text.txt", "other.txt is a different text", "--init-from")


def test_resume_with_other_shape_is_refused(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL).status == 0
    result = charrnn("train", "text.txt", "--resume", "--hidden", 9)
    assert result.failed_with(2, "--hidden 9", "uses --hidden 8")
    assert charrnn("train", "text.txt", "--resume", *SMALL).status == 0


def test_resume_from_model_without_state_is_refused(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL).status == 0
    (folder / "checkpoints/text-lstm-last.safetensors").unlink()
    alone = (folder / "checkpoints/text-lstm.safetensors").rename(folder / "alone.safetensors")
    result = charrnn("train", "text.txt", "--resume-from", alone)
    assert result.failed_with(1, "contains no training state", "-last")


def test_resume_of_mixture_mixes_again(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    result = charrnn("train", "text.txt", "--with-ngram", "--resume", "--json")
    assert (result.status, json.loads(result.text)["kind"]) == (0, "mixture")


@pytest.mark.parametrize("value", ["0", "-5", "often", "0m", "nanm", "infm"])
def test_save_every_with_invalid_value_is_refused(charrnn: Charrnn, value: str) -> None:
    assert charrnn("train", "text.txt", "--save-every", value).failed_with(2, f"--save-every {value}", "500")


def test_init_from_maps_rows_by_character(charrnn: Charrnn, folder: Path) -> None:
    """On a text with characters of its own, which stand in another order there; with a rate of next to nothing."""
    assert charrnn("train", "text.txt", *SMALL).status == 0
    (folder / "other.txt").write_text(("zebra " + TEXT[:300] + "ÄÖ!") * 3, encoding="utf-8")
    words = ("--init-from", "text-lstm", "--steps", 1, "--learning-rate", 1e-30, "--weight-decay", 0)
    result = charrnn("train", "other.txt", *words)
    assert result.status == 0
    assert "vocabulary of 24 characters" in result.err
    before, after = network(folder, "text-lstm"), network(folder, "other-lstm")
    known, grown = (checkpoint(folder, name).vocabulary for name in ("text-lstm", "other-lstm"))
    assert grown.characters
    assert known.characters
    assert grown.characters[: len(known)] == known.characters
    assert set(grown.characters) >= set("zÄÖ!")
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name][: len(tensor)], tensor, msg=name)
    again = charrnn("train", "other.txt", "--resume")  # reads with the grown vocabulary
    assert again.status == 0


def test_init_from_keeps_ngram_embeddings_of_known_characters(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--ngram-embedding", 3).status == 0
    (folder / "other.txt").write_text(("zebra " + TEXT[:300] + "ÄÖ!") * 3, encoding="utf-8")
    assert charrnn("train", "other.txt", "--init-from", "text-lstm", "--steps", 1, "--learning-rate", 1e-30).status == 0
    before, after = network(folder, "text-lstm"), network(folder, "other-lstm")
    assert before.ngrams
    assert after.ngrams
    assert before.ngrams.weight.any()
    assert sorted(before.ngrams.weight.sum(1).tolist()) == sorted(after.ngrams.weight.sum(1).tolist())


def test_freeze_layers_keeps_their_weights(charrnn: Charrnn, folder: Path) -> None:
    shape = ("--hidden", 8, "--steps", 3)
    assert charrnn("train", "text.txt", *shape).status == 0
    words = ("--init-from", "text-lstm", "--steps", 3, "--freeze-layers", 1, "--out", "tuned")
    assert charrnn("train", "text.txt", *words).status == 0
    before, after = network(folder, "text-lstm").state_dict(), network(folder, "tuned").state_dict()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert not any(name.startswith("cells.0.") for name in changed)
    assert changed >= {"cells.1.core.weight_hh_l0", "head.weight"}
    assert charrnn("train", "text.txt", "--resume", "--out", "tuned").status == 0


def test_init_from_with_other_shape_is_refused(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL).status == 0
    result = charrnn("train", "text.txt", "--init-from", "text-lstm", "--cell", "gru")
    assert result.failed_with(2, "--cell gru", "uses --cell lstm; remove the option")
    assert charrnn("ngram", "text.txt", "--order", 3).status == 0
    result = charrnn("train", "text.txt", "--init-from", "text-tuned-3", "--out", "b")
    assert result.failed_with(1, "is an n-gram model; --init-from needs a network")


def test_train_over_existing_training_is_refused(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL).status == 0
    result = charrnn("train", "text.txt", *SMALL)
    assert result.failed_with(2, "exists", "--force", "--resume", "--out")
    assert charrnn("train", "text.txt", *SMALL, "--force").status == 0
    assert not re.search("resumed", charrnn("train", "text.txt", *SMALL, "--force").err)
