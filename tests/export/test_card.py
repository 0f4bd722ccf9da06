"""Model cards: Markdown with what somebody else needs to know, and nothing about the machine's folders."""

from pathlib import Path

import pytest
from export_models import checkpoint_of, make
from program import Charrnn

from charrnn.export.card import make_card


def test_card_of_a_trained_model(charrnn: Charrnn, models: Path) -> None:
    shown = charrnn("inspect", "text-lstm", "--card", "--license", "public domain")
    assert shown.status == 0, shown.err
    card = shown.text
    sha256 = charrnn("inspect", "text-lstm", "--json").json()["text"]["sha256"]
    assert card.startswith("---\nlibrary_name: charrnn\n")
    assert f"`{sha256}`" in card
    assert "public domain (as stated by the author of this card)" in card
    assert "charrnn train text.txt --hidden 8 --layers 1 --steps 3" in card
    assert "new 20-grams" in card
    assert card.count("Temperature 0.8, seed ") == 2
    assert str(Path.cwd()) not in card


def test_card_without_its_text_says_that_novelty_is_unknown(charrnn: Charrnn, models: Path) -> None:
    Path("text.txt").unlink()
    shown = charrnn("inspect", "text-tuned-3", "--card")
    assert shown.status == 0, shown.err
    assert "novelty is not measured" in shown.err
    assert "the training text was not at hand" in shown.text
    assert "| license | not stated |" in shown.text


def test_numbers_in_the_front_matter_are_those_of_inspect(charrnn: Charrnn, models: Path) -> None:
    card = charrnn("inspect", "text-tuned-3", "--card").text
    info = charrnn("inspect", "text-tuned-3", "--json").json()
    assert f"value: {info['validation']['bits_per_char']:.4f}" in card


@pytest.mark.parametrize("kind", ["lstm", "mkn", "mixture", "ensemble"])
def test_every_kind_has_a_card(kind: str) -> None:
    card = make_card(checkpoint_of(make(kind)), license_='a "license"')
    assert 'license_of_training_text: "a \\"license\\""' in card
    assert "The model was not scored." in card


def test_wrong_usage_is_one_line(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("inspect", "text-lstm", "--license", "MIT").failed_with(2, "has no effect without --card")
    assert charrnn("inspect", "text-lstm", "--card", "--json").failed_with(2, "--card, --json: use one of them")
