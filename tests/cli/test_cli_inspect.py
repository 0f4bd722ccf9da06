"""`charrnn inspect`: what it says of texts and of checkpoints, and which of them a name means."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from program import SMALL, TEXT, Charrnn, Outcome

from charrnn import __version__
from charrnn.checkpoint import load
from charrnn.training.budget import estimate as advising
from charrnn.training.budget import speed

FRENCH = "Où est-il ? Déjà à l'été, dans le café.\n"


@pytest.fixture(autouse=True)
def same_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes a while; one test does it."""
    monkeypatch.setattr(advising, "measure", lambda *_: 40_000.0)


def read(result: Outcome) -> dict[str, Any]:
    assert result.status == 0, result.err
    assert result.err == ""
    facts: dict[str, Any] = json.loads(result.text)
    return facts


def test_a_text(charrnn: Charrnn) -> None:
    result = charrnn("inspect", "text.txt")
    assert (result.status, result.out) == (0, b"")
    for part in (
        "text.txt: 1.7\xa0kB, 1,700 characters, 40 lines",
        "encoding    UTF-8\n",
        "24 different, entropy 3.9",
        "space 18",
        "normal form any",
        "line ends LF",
        "split       90/10/0 (train 1,530, validation 170)",
        "mind        mostly copies",
        "lstm 2x256 now reads 40,000 characters a second",
    ):
        assert part in result.err, part
    assert "rare  " not in result.err


def test_a_text_as_json(charrnn: Charrnn) -> None:
    facts = read(charrnn("inspect", "text.txt", "--json", "--val-fraction", 0.2, "--test-fraction", 0.1))
    assert (facts["bytes"], facts["characters"], facts["vocab_size"]) == (1700, 1700, 24)
    assert (facts["encoding"], facts["encoding_is_sure"], facts["encoding_reason"]) == ("utf-8", True, "UTF-8")
    assert (facts["split"], facts["parts"]) == ("70/20/10", {"train": 1190, "validation": 340, "test": 170})
    assert facts["repeats"]["lines"] == facts["repeats"]["held_out_lines"] == 1
    assert facts["vocabulary"][0] == {
        "character": " ", "code_point": 32, "byte": None, "name": "SPACE", "count": TEXT.count(" "),
    }  # fmt: skip
    assert {one["name"] for one in facts["findings"]} == {"short", "duplicates", "held_out_is_known"}
    choices = facts["advice"]["choices"]
    assert [one["minutes"] for one in choices] == [1, 5, 30]
    assert all(one["epochs"] > 0 and one["parameters"] > 0 for one in choices)


def test_the_speed_is_measured(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advising, "measure", speed.measure)
    assert read(charrnn("inspect", "text.txt", "--json"))["advice"]["chars_per_second"] > 0


def test_what_train_then_says(charrnn: Charrnn) -> None:
    """The sizes are those of the other commands."""
    facts = read(charrnn("inspect", "text.txt", "--json", "--no-advice"))
    assert facts["advice"] is None
    said = charrnn("ngram", "text.txt", "--order", 2).err
    assert f"{facts['characters']:,} characters, {facts['vocab_size']} different" in said
    assert facts["sha256"] == load(Path("checkpoints/text-tuned-2.safetensors")).facts.text.sha256


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "UTF-8 with a byte-order mark\n"),
        ("utf-16", "UTF-16, by its byte-order mark: utf-16; say --encoding utf-16 to train\n"),
        (
            "cp1252",
            "byte 1 (0xF9) is not UTF-8; guessed from what is around it: cp1252; say --encoding cp1252 to train\n",
        ),
    ],
)
def test_encodings(charrnn: Charrnn, folder: Path, encoding: str, said: str) -> None:
    (folder / "coded.txt").write_bytes((FRENCH * 9).encode(encoding))
    assert f"encoding    {said}" in charrnn("inspect", "coded.txt", "--no-advice").err
    facts = read(charrnn("inspect", "coded.txt", "--no-advice", "--json"))
    assert facts["characters"] == len(FRENCH * 9)
    if "say" in said:
        assert charrnn("ngram", "coded.txt", "--encoding", facts["encoding"], "--order", 2).status == 0
        assert charrnn("inspect", "coded.txt", "--encoding", "ascii").failed_with(1, "is not ascii; say --encoding")


def test_bytes(charrnn: Charrnn, folder: Path) -> None:
    (folder / "some.dat").write_bytes(bytes(range(256)) * 8)
    for words, why in ((("--bytes",), "read as bytes"), ((), "and there are zero bytes; say --bytes to train")):
        assert why in charrnn("inspect", "some.dat", "--no-advice", *words).err
        facts = read(charrnn("inspect", "some.dat", "--no-advice", "--json", *words))
        assert (facts["encoding"], facts["vocab_size"], facts["characters"]) == (None, 256, 2048)


def test_hostile_characters_are_shown_as_codes(charrnn: Charrnn, folder: Path) -> None:
    (folder / "odd.txt").write_text("a\u0301\x1b[31m\x07\u202e😀\ue000" * 30, encoding="utf-8")
    result = charrnn("inspect", "odd.txt", "--no-advice")
    assert all(code in result.err for code in (r"\x1b", r"\x07", "U+0301", "RIGHT-TO-LEFT OVERRIDE", "U+E000", "😀"))
    assert not set("\x1b\x07\u202e\ue000") & set(result.err)


@pytest.mark.parametrize(
    ("content", "part"), [(b"", "the file is empty"), (b"%PDF-1.7", "is a PDF"), (b"x", "too short to train on")]
)
def test_files_that_are_no_texts(charrnn: Charrnn, folder: Path, content: bytes, part: str) -> None:
    (folder / "bad.txt").write_bytes(content)
    result = charrnn("inspect", "bad.txt")
    assert result.failed_with(1, "bad.txt: ", part) if len(content) != 1 else part in result.err


def test_a_network(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "text-lstm", "--json"))
    saved = load(models / "text-lstm.safetensors")
    assert saved.facts.validation
    assert facts["bits_per_char"] == saved.facts.validation.bits_per_char
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


def test_the_last_state(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "text-lstm-last", "--json"))
    assert facts["progress"]["number"] == 3
    assert any(one["name"].startswith("training.optimizer.") for one in facts["tensors"])
    assert facts["checksums"]["tensors"] == len(facts["tensors"])
    assert "progress    step 3 of 3" in charrnn("inspect", "text-lstm-last").err


def test_n_grams(charrnn: Charrnn, models: Path) -> None:
    facts = read(charrnn("inspect", "--json"))  # the newest
    (part,) = facts["parts"]
    assert (facts["kind"], part["entries"][0], sum(part["entries"])) == ("ngram", 24, facts["entries"])
    assert [one["name"] for one in facts["tensors"]][::4] == ["1.backoffs", "2.backoffs", "3.backoffs"]
    assert facts["checksums"] == {"header": True, "tensors": 0, "of_tensors": 12}
    assert "by order 1: 24, 2: " in charrnn("inspect").err


def test_a_mixture_and_other_kinds(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    assert [part["name"] for part in read(charrnn("inspect", "--json"))["parts"]] == ["network", "counts", "gate"]
    assert "counts      tuned order 9" in charrnn("inspect").err
    assert charrnn("ngram", "text.txt", "--smoothing", "longest").status == 0
    assert read(charrnn("inspect", "--json"))["parts"][0]["entries"] is None
    assert "longest match" in charrnn("inspect", "text-longest").err


def test_bad_checkpoints(charrnn: Charrnn, models: Path) -> None:
    whole = (models / "text-lstm.safetensors").read_bytes()
    (models / "cut.safetensors").write_bytes(whole[:-1])
    assert charrnn("inspect", "cut").failed_with(1, "cut.safetensors: is cut off")
    (models / "flipped.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert charrnn("inspect", "flipped").failed_with(1, "expected the checksum")
    (models / "new.safetensors").write_bytes(whole.replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    assert charrnn("inspect", "new").failed_with(1, "a newer charrnn made it; upgrade yours")
    (models / "other.pt").write_bytes(b"PK\x03\x04")
    assert charrnn("inspect", models / "other.pt").failed_with(1, "a PyTorch file (a zip), which charrnn does not open")


def test_a_checkpoint_by_what_it_begins_with(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (models / "text-lstm.safetensors").rename(folder / "renamed.txt")
    assert read(charrnn("inspect", "renamed.txt", "--json"))["kind"] == "recurrent"


def test_a_name_of_both(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "text-lstm.txt").write_text(TEXT, encoding="utf-8")
    assert charrnn("inspect", "text-lstm").failed_with(
        2, "is a text, data/text-lstm.txt, and a checkpoint, checkpoints/text-lstm.safetensors; say which, by its path"
    )
    assert "encoding" in read(charrnn("inspect", "data/text-lstm.txt", "--json", "--no-advice"))
    assert "kind" in read(charrnn("inspect", "checkpoints/text-lstm.safetensors", "--json"))


def test_a_name_of_neither(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("inspect", "nothing").failed_with(1, "nothing: there is no such text", "checkpoint", "shakespeare")
    assert charrnn("inspect", "no.safetensors").failed_with(1, "no.safetensors: there is no such file")
    assert charrnn("inspect", folder).failed_with(1, "is a folder; name a file in it")
    assert charrnn("inspect").failed_with(1, "there is no checkpoint in checkpoints/")


def test_several_texts_packed_ones_and_standard_input(charrnn: Charrnn, folder: Path) -> None:
    """As `train` reads them: with a line end between files; the first that is no UTF-8 says the encoding of all."""
    (folder / "a.txt").write_text("One line, Ünd one\nmore", encoding="utf-8")
    (folder / "b.txt.gz").write_bytes(gzip.compress(b"plain words\n"))
    both = json.loads(charrnn("inspect", "a.txt", "b*", "--json", "--no-advice").text)
    assert (both["text"], both["characters"], both["encoding"]) == ("a.txt and 1 more file", 35, "utf-8")
    typed = charrnn("inspect", "-", "--json", "--no-advice", stdin=b"caf\xe9 noir, tr\xe8s noir\n" * 9)
    assert (json.loads(typed.text)["encoding"], json.loads(typed.text)["text"]) == ("cp1252", "standard input")
    mixed = charrnn("inspect", "a.txt", "-", "--json", "--no-advice", stdin=b"caf\xe9 noir, tr\xe8s noir\n" * 9)
    assert json.loads(mixed.text)["encoding"] == "cp1252"
    lower = json.loads(charrnn("inspect", "a.txt", "--lower", "--json", "--no-advice").text)
    assert lower["vocab_size"] == lower["lower_vocab_size"]
