"""`charrnn train --with-ngram`, and what it says of n-grams without."""

import json
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import components, load
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import Score


def test_mixture_is_one_checkpoint_that_samples_and_compares(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--with-ngram", "--json")
    facts = json.loads(result.text)
    assert result.status == 0
    assert facts["checkpoint"] == "checkpoints/text-lstm-ngram.safetensors"
    assert (facts["kind"], facts["steps"], facts["characters"]) == ("mixture", 3, 170)
    assert facts["parameters"] > 0
    assert facts["entries"] > 0
    for line in (
        "counted in",
        "set aside to fit the mixture",
        "network     alone: validation",
        "n-grams     alone: validation",
        "mixture     validation",
    ):
        assert line in result.err
    assert "--with-ngram to mix both" not in result.err
    network = json.loads(charrnn("score", "text-lstm-ngram-last", "--json").text)
    assert facts["bits_per_char"] < network["bits_per_char"]
    assert len(charrnn("sample", "--length", 30, "--prime", "To be").text) == 35


def test_network_of_mixture_does_not_see_held_out_blocks(charrnn: Charrnn, folder: Path) -> None:
    """The same training on the text without that part, which is its end in a text as short as this, gives the same."""
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram", "--validate-every", 3).status == 0
    mixture = load(folder / "checkpoints" / "text-lstm-ngram.safetensors").model
    train = int(0.9 * len(TEXT))
    (folder / "rest.txt").write_text(TEXT[: train - train // 4], encoding="utf-8")
    assert charrnn("train", "rest.txt", *SMALL, "--val-fraction", 0).status == 0
    alone = load(folder / "checkpoints" / "rest-lstm.safetensors").model
    assert isinstance(mixture, MixtureModel)
    assert isinstance(alone, RecurrentModel)
    network, counts = components(mixture)
    assert isinstance(network, RecurrentModel)
    assert network.head.weight.equal(alone.head.weight)
    assert counts.entries > 0


def test_mixture_with_several_networks(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--networks", 2, "--with-ngram", "--json")
    assert (result.status, json.loads(result.text)["model"]) == (0, "lstm 1x8 (2 networks) with blend of tuned order 9")
    assert "networks    alone: validation" in result.err
    compared = charrnn("compare", "--json", "--length", 20, "--novelty-length", 0)
    rows = {row["kind"]: row for row in json.loads(compared.text)}
    assert rows["recurrent"]["model"] == "lstm 1x8 (2 networks)"


def test_mixture_without_validation_part_has_no_score(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--with-ngram", "--val-fraction", 0, "--json")
    assert result.status == 0
    assert "bits_per_char" not in json.loads(result.text)
    assert "mixture     not scored: there is no validation set" in result.err


@pytest.mark.parametrize("length", [40, 100])
def test_mixture_of_very_short_text_works(charrnn: Charrnn, folder: Path, length: int) -> None:
    (folder / "short.txt").write_text(TEXT[:length], encoding="utf-8")
    assert charrnn("train", "short.txt", *SMALL, "--with-ngram").status == 0


def test_train_prints_what_ngrams_would_add(charrnn: Charrnn) -> None:
    """Only what is true: after three steps the counts are better alone."""
    last = charrnn("train", "text.txt", *SMALL).err.splitlines()[-1]
    assert last.startswith("tip         n-grams alone give ")
    assert last.endswith("`charrnn ngram TEXT` fits them")


@pytest.mark.parametrize(("mixed", "counted", "said"), [(1.0, 2.0, "averaging the network "), (9.0, 9.0, "")])
def test_ngram_tip_is_printed_only_where_true(
    mixed: float, counted: float, said: str, charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It recommended mixtures that were worse than the network."""
    scores = {NgramModel: counted, InterpolatedModel: mixed, RecurrentModel: 3.0}
    monkeypatch.setattr(
        "charrnn.pipeline.fit_networks.evaluate", lambda model, part: Score(scores[type(model)] * 100, 100)
    )
    lines = [line for line in charrnn("train", "text.txt", *SMALL).err.splitlines() if line.startswith("tip")]
    assert [line.startswith(f"tip         {said}") for line in lines] == [True] * bool(said)


def test_mixture_of_too_short_text_is_refused(charrnn: Charrnn, folder: Path) -> None:
    (folder / "short.txt").write_text("abc", encoding="utf-8")
    result = charrnn("train", "short.txt", *SMALL, "--with-ngram")
    assert result.status == 1
    assert "characters are too few for a mixture; use a longer text" in result.err
