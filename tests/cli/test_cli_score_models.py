"""`charrnn score` with several models: which of them a text is likeliest under."""

import json
from pathlib import Path
from typing import Any

import pytest
from program import Charrnn

A, B = "checkpoints/a.safetensors", "checkpoints/b.safetensors"
HERS, HIS = "she sells sea shells. ", "he hit his hot hat: "


@pytest.fixture
def authors(charrnn: Charrnn, folder: Path) -> Path:
    """Models a and b of texts with different characters, and texts like them."""
    (folder / "a.txt").write_text(HERS * 40, encoding="utf-8")
    (folder / "b.txt").write_text(HIS * 40, encoding="utf-8")
    (folder / "hers.txt").write_text("she sells hot shells!", encoding="utf-8")
    (folder / "his.txt").write_text("hat hat hat", encoding="utf-8")
    for name in "ab":
        assert charrnn("ngram", f"{name}.txt", "--order", 3, "--out", name).status == 0
    return folder


def found(charrnn: Charrnn, *words: object) -> Any:
    result = charrnn("score", *words, "--json")
    assert result.status == 0, result.err
    return json.loads(result.text)


def test_score_several_models_names_the_likeliest(charrnn: Charrnn, authors: Path) -> None:
    hers, his = found(charrnn, A, B, "--text", "hers.txt", "--text", "his.txt")
    assert (hers["text"], hers["likeliest"]) == ("hers.txt", A)
    assert (his["text"], his["likeliest"]) == ("his.txt", B)
    for one in (hers, his):
        first, second = one["models"]
        assert first["checkpoint"] == one["likeliest"]
        assert one["lead_bits"] == pytest.approx(second["bits"] - first["bits"])
        assert first["posterior"] == pytest.approx(1 / (1 + 2 ** -one["lead_bits"]))
        assert first["posterior"] + second["posterior"] == pytest.approx(1)
        assert first["bits"] == pytest.approx(first["bits_per_char"] * one["characters"])
        assert first["perplexity"] == pytest.approx(2 ** first["bits_per_char"])


def test_score_several_models_scores_common_characters(charrnn: Charrnn, authors: Path) -> None:
    """What one of them does not know is left out for all: here l, o, t and !."""
    hers = found(charrnn, A, B, "--text", "hers.txt")
    common = "".join(one for one in "she sells hot shells!" if one in set(HERS) & set(HIS))
    assert hers["characters"] == len(common)
    assert hers["left_out_share"] == pytest.approx(1 - len(common) / 21)
    (authors / "common.txt").write_text(common, encoding="utf-8")
    for row in hers["models"]:
        alone = found(charrnn, row["checkpoint"], "--text", "common.txt")
        assert alone["bits_per_char"] == pytest.approx(row["bits_per_char"])


def test_score_names_are_all_checkpoints(charrnn: Charrnn, authors: Path) -> None:
    """All names are; texts have an option."""
    expected = found(charrnn, A, B, "--text", "hers.txt")
    assert found(charrnn, "a", "b", "--text", "hers.txt") == expected
    assert found(charrnn, "--text", "his.txt")["checkpoint"] == B  # the newest
    assert found(charrnn, A, "a", B, "--text", "hers.txt") == expected  # one is there twice


def test_score_several_models_prints_tables(charrnn: Charrnn, authors: Path) -> None:
    one = " ".join(charrnn("score", A, B, "--text", "hers.txt").err.split())
    assert "total bits model bits/char nats/char perplexity bits behind posterior" in one
    assert "likeliest a, by" in one
    assert "characters (33%) of hers.txt that are not in the vocabulary of every model" in one
    several = charrnn("score", A, B, "--text", "hers.txt", "--text", "his.txt")
    assert several.out == b""
    assert "given equal priors" in several.err


def test_score_several_models_judges_held_out_text_only(charrnn: Charrnn, authors: Path) -> None:
    held_out = found(charrnn, A, B, "--text", "a.txt")
    assert (held_out["part"], held_out["split"]) == ("validation", "90/10/0")
    assert held_out["characters"] + round(held_out["left_out_share"] * 88) == 88
    (authors / "part.txt").write_text(HERS * 12, encoding="utf-8")
    refused = charrnn("score", A, B, "--text", "part.txt")
    assert refused.failed_with(1, "part.txt: a was fitted on all of this text; use a text that the model has not seen")


def test_score_several_models_compares_bytes_and_characters(charrnn: Charrnn, authors: Path) -> None:
    """A model of bytes scores the bytes of the same characters, and its bits are of characters too."""
    (authors / "c.txt").write_text("é" * 30 + HIS * 30, encoding="utf-8")
    for name, more in (("bytes", ("--bytes",)), ("chars", ())):
        assert charrnn("ngram", "c.txt", "--order", 3, "--out", name, *more).status == 0
    (authors / "é.txt").write_text("é" * 9, encoding="utf-8")
    both = found(charrnn, "bytes", "chars", "--text", "é.txt")
    assert both["characters"] == 9
    alone = {name: found(charrnn, name, "--text", "é.txt") for name in ("bytes", "chars")}
    for row in both["models"]:
        one = alone[Path(row["checkpoint"]).stem]
        assert row["bits"] == pytest.approx(one["bits_per_char"] * one["characters"])
    assert alone["bytes"]["characters"] == 18
    assert charrnn("score", "bytes", "chars", "--text", "c.txt").failed_with(
        1, "c.txt: bytes was fitted on part of this text"
    )


def test_score_several_models_on_documents_has_their_rule(charrnn: Charrnn, authors: Path) -> None:
    for name, line in (("x", HERS), ("y", HIS)):
        (authors / f"{name}.txt").write_text(f"{line}\n" * 20, encoding="utf-8")
        words = ("--document-separator", r"\n", "--order", 3, "--out", name)
        assert charrnn("ngram", f"{name}.txt", *words).status == 0
    (authors / "lines.txt").write_text("she he\nhis\n", encoding="utf-8")
    assert found(charrnn, "x", "y", "--text", "lines.txt")["rule"] == "static, documents"
    refused = charrnn("score", "a", "y", "--text", "lines.txt")
    assert refused.failed_with(1, "a and y were trained with different --document-separator settings")


def test_score_several_models_all_impossible_names_none(charrnn: Charrnn, authors: Path) -> None:
    for name in "ab":
        assert charrnn("ngram", f"{name}.txt", "--smoothing", "ml", "--order", 2, "--out", f"{name}0").status == 0
    (authors / "odd.txt").write_text("eeesss", encoding="utf-8")
    nobody = found(charrnn, "a0", "b0", "--text", "odd.txt")
    assert (nobody["likeliest"], nobody["lead_bits"]) == (None, None)
    assert [row["posterior"] for row in nobody["models"]] == [None, None]
    assert "none: every model gives" in charrnn("score", "a0", "b0", "--text", "odd.txt").err
    assert found(charrnn, "a0", "b", "--text", "odd.txt")["models"][0]["posterior"] == 1


def test_score_wrong_usage_is_one_line(charrnn: Charrnn, authors: Path) -> None:
    assert charrnn("score", A, B).failed_with(2, "with several checkpoints, pass the texts with --text")
    refused = charrnn("score", "a", "hers.txt")
    assert refused.failed_with(2, "hers.txt is a text, not a checkpoint; try `charrnn score a --text hers.txt`")
    assert charrnn("score", "hers.txt").failed_with(2, "try `charrnn score NAME --text hers.txt`")
    assert charrnn("score", "a", "-").failed_with(2, "- is a text, not a checkpoint; try `charrnn score a --text -`")
    assert charrnn("score", "a", "python").failed_with(2, "python is a text", "score a --text python`")
    assert charrnn("score", "a", "nothing.txt").failed_with(1, "nothing.txt: not found")
    for option in (("--lines",), ("--online",), ("--window", 5), ("--show", 5)):
        wrong = charrnn("score", A, B, "--text", "his.txt", *option)
        assert wrong.failed_with(2, f"{option[0]}: supports only one checkpoint")
    (authors / "odd.txt").write_text("éé", encoding="utf-8")
    assert charrnn("score", A, B, "--text", "odd.txt").failed_with(
        1, "none of its characters is in every model's vocabulary"
    )
    assert charrnn("ngram", "a.txt", "--lower", "--out", "low").status == 0
    assert charrnn("score", "low", "b", "--text", "his.txt").failed_with(
        1, "low and b were trained with different --lower settings"
    )


def test_score_help_says_that_several_models_need_a_text(charrnn: Charrnn) -> None:
    shown = " ".join(charrnn("score", "--help").text.replace("│", " ").split())
    assert "With several checkpoints: compares the likelihood of each text under each model, to find" in shown
    assert "Needs --text." in shown


def test_score_one_character_is_singular(charrnn: Charrnn, authors: Path) -> None:
    """It once said "1 characters"."""
    (authors / "odd.txt").write_text("he!", encoding="utf-8")
    assert (
        "1 character (33%) of odd.txt that are not in the vocabulary of every"
        in charrnn("score", A, B, "--text", "odd.txt").err
    )
    (authors / "one.txt").write_text("h", encoding="utf-8")
    assert "one.txt: 1 character, " in charrnn("score", A, "--text", "one.txt").err


def test_score_models_of_one_name_show_their_paths(charrnn: Charrnn, authors: Path) -> None:
    """In the table of several texts both columns once had the figures of one of them."""
    for name in "ab":
        (authors / name).mkdir()
        (authors / f"checkpoints/{name}.safetensors").rename(authors / name / "it.safetensors")
    result = charrnn("score", "a/it.safetensors", "b/it.safetensors", "--text", "hers.txt", "--text", "his.txt")
    shown = {
        line.split()[0]: line.split() for line in result.err.splitlines() if "hers.txt" in line or "his.txt" in line
    }
    assert shown["hers.txt"][2] != shown["hers.txt"][3]
    assert shown["hers.txt"][4].startswith("a/")
    assert shown["his.txt"][4].startswith("b/")
