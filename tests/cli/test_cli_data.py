"""`charrnn data`, without a network: the list of known texts, fetching one, and what `inspect` says of a text."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from program import TEXT, Charrnn, Outcome

from charrnn.checkpoint import load
from charrnn.training.budget import estimate as advising
from charrnn.training.budget.clock import measure_speed

FRENCH = "Où est-il ? Déjà à l'été, dans le café.\n"


def test_data_list_shows_which_texts_are_here(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "tinyshakespeare.txt").write_text("To be", encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(charrnn("data", "--json").text)}
    assert list(rows) == ["shakespeare", "tinyshakespeare", "python", "names"]
    assert [row["present"] for row in rows.values()] == [False, True, False, False]
    assert all(row["source"] and row["licence"] for row in rows.values())
    table = charrnn("data")
    assert table.out == b""
    assert all(name in table.err for name in rows)


def test_data_fetch_text_that_is_here_prints_its_path(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "shakespeare.txt").write_text("To be", encoding="utf-8")
    result = charrnn("data", "shakespeare")
    assert (result.status, result.text, result.err) == (0, "data/shakespeare.txt\n", "")


def test_data_fetch_unknown_name_names_the_known_ones(charrnn: Charrnn) -> None:
    assert charrnn("data", "hamlet").failed_with(1, "hamlet: unknown text; choose from shakespeare")
    assert charrnn("data", "hamlet", "x").failed_with(2, "hamlet: unknown command or text; try `charrnn data --help`")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("inspct text.txt", "inspct: unknown command or text; did you mean inspect?"),
        ("inspct", "inspct: unknown command or text; did you mean inspect?"),
        ("shakespere", "shakespere: unknown command or text; did you mean shakespeare?"),
    ],
)
def test_data_misspelled_name_names_the_nearest(charrnn: Charrnn, words: str, message: str) -> None:
    """It once said that `text.txt` is an unexpected argument, of a command that was not typed."""
    assert charrnn("data", *words.split()).failed_with(2, message)


@pytest.mark.parametrize("command", ["list", "fetch", "inspect"])
def test_data_help_has_the_examples_of_the_sub_command(charrnn: Charrnn, command: str) -> None:
    lines = charrnn("data", command, "--help").text.splitlines()
    examples = [line.strip() for line in lines if line.startswith("   charrnn ")]
    assert examples
    assert all(line.startswith(f"charrnn data {command} ") for line in examples)


def test_data_fetch_into_an_unwritable_folder_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").write_text("a file where the folder should be", encoding="utf-8")
    result = charrnn("data", "python")
    assert result.status == 1
    assert result.err.splitlines()[-1].startswith("charrnn: data/python.txt: cannot write the file: ")


def test_data_without_a_sub_command_lists_or_fetches(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "shakespeare.txt").write_text("To be", encoding="utf-8")
    assert charrnn("data", "--json").out == charrnn("data", "list", "--json").out
    assert charrnn("data", "shakespeare").out == charrnn("data", "fetch", "shakespeare").out
    assert "fetch" in charrnn("data", "--help").text
    assert "--no-advice" in charrnn("data", "inspect", "--help").text


def test_data_inspect_checkpoint_names_the_command_for_checkpoints(charrnn: Charrnn, models: Path) -> None:
    for name in ("text-lstm", "checkpoints/text-lstm.safetensors"):
        advice = f"{name}: is a checkpoint, not a text; try `charrnn inspect {name}`"
        assert charrnn("data", "inspect", name).failed_with(2, advice)
    (models / "other.pt").write_bytes(b"PK\x03\x04")
    assert charrnn("data", "inspect", "text.txt", models / "other.pt").failed_with(2, "other.pt: is a checkpoint")


def test_data_inspect_text_beside_a_checkpoint_of_its_name_shows_the_text(charrnn: Charrnn, models: Path) -> None:
    Path("data").mkdir()
    Path("data/text-lstm.txt").write_text(TEXT, encoding="utf-8")
    assert read(charrnn("data", "inspect", "text-lstm", "--json", "--no-advice"))["text"] == "data/text-lstm.txt"


def test_data_inspect_name_of_nothing_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("data", "inspect", "nothing").failed_with(1, "nothing: not found, here or in data/", "shakespeare")
    assert charrnn("data", "inspect", folder).failed_with(1, "is a folder; pass its files, for example")
    assert charrnn("data", "inspect").failed_with(2, "data inspect: no text given; try")
    wrong = charrnn("data", "inspect", "--encoding")
    assert wrong.failed_with(2, "--encoding: needs a value; try `charrnn data inspect --help`")


@pytest.fixture(autouse=True)
def same_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes a while; one test does it."""
    monkeypatch.setattr(advising, "measure_speed", lambda *_: 40_000.0)


def read(result: Outcome) -> dict[str, Any]:
    assert result.status == 0, result.err
    assert result.err == ""
    facts: dict[str, Any] = json.loads(result.text)
    return facts


def test_data_inspect_shows_what_a_text_is_like(charrnn: Charrnn) -> None:
    result = charrnn("data", "inspect", "text.txt")
    assert (result.status, result.out) == (0, b"")
    for part in (
        "text.txt: 1.7\xa0kB, 1,700 characters, 40 lines",
        "encoding    UTF-8\n",
        "24 distinct, entropy 3.9",
        "space 18",
        "normal form NFC, NFD",
        "line ends: LF",
        "split       90% training (1,530), 10% validation (170)",
        "warning     mostly duplicates",
        "lstm 2x256 now trains at 40,000 chars/s",
    ):
        assert part in result.err, part
    assert "rare  " not in result.err


def test_data_inspect_json_has_all_figures(charrnn: Charrnn) -> None:
    facts = read(charrnn("data", "inspect", "text.txt", "--json", "--val-fraction", 0.2, "--test-fraction", 0.1))
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


def test_data_inspect_measures_the_speed(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advising, "measure_speed", measure_speed)
    assert read(charrnn("data", "inspect", "text.txt", "--json"))["advice"]["chars_per_second"] > 0


def test_data_inspect_sizes_are_those_of_other_commands(charrnn: Charrnn) -> None:
    """The sizes are those of the other commands."""
    facts = read(charrnn("data", "inspect", "text.txt", "--json", "--no-advice"))
    assert facts["advice"] is None
    said = charrnn("ngram", "text.txt", "--order", 2).err
    assert f"{facts['characters']:,} characters, vocabulary size {facts['vocab_size']}" in said
    assert facts["sha256"] == load(Path("checkpoints/text-tuned-2.safetensors")).metadata.text.sha256


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "UTF-8 with a byte-order mark\n"),
        ("utf-16", "utf-16, according to its byte-order mark; use --encoding utf-16 to train\n"),
        (
            "cp1252",
            "cp1252, guessed from the text around byte 1 (0xF9), which is not UTF-8; use --encoding cp1252 to train\n",
        ),
    ],
)
def test_data_inspect_finds_the_encoding(charrnn: Charrnn, folder: Path, encoding: str, said: str) -> None:
    (folder / "coded.txt").write_bytes((FRENCH * 9).encode(encoding))
    assert f"encoding    {said}" in charrnn("data", "inspect", "coded.txt", "--no-advice").err
    facts = read(charrnn("data", "inspect", "coded.txt", "--no-advice", "--json"))
    assert facts["characters"] == len(FRENCH * 9)
    if "use" in said:
        assert charrnn("ngram", "coded.txt", "--encoding", facts["encoding"], "--order", 2).status == 0
        assert charrnn("data", "inspect", "coded.txt", "--encoding", "ascii").failed_with(
            1, "is not ascii; use --encoding"
        )


def test_data_inspect_binary_file_is_described_as_bytes(charrnn: Charrnn, folder: Path) -> None:
    (folder / "some.dat").write_bytes(bytes(range(256)) * 8)
    for words, why in ((("--bytes",), "read as bytes"), ((), "and the file has zero bytes; use --bytes to train")):
        assert why in charrnn("data", "inspect", "some.dat", "--no-advice", *words).err
        facts = read(charrnn("data", "inspect", "some.dat", "--no-advice", "--json", *words))
        assert (facts["encoding"], facts["vocab_size"], facts["characters"]) == (None, 256, 2048)


def test_data_inspect_control_characters_are_escaped(charrnn: Charrnn, folder: Path) -> None:
    (folder / "odd.txt").write_text("a\u0301\x1b[31m\x07\u202e😀\ue000" * 30, encoding="utf-8")
    result = charrnn("data", "inspect", "odd.txt", "--no-advice")
    assert all(code in result.err for code in (r"\x1b", r"\x07", "U+0301", "RIGHT-TO-LEFT OVERRIDE", "U+E000", "😀"))
    assert not set("\x1b\x07\u202e\ue000") & set(result.err)


@pytest.mark.parametrize(
    ("content", "part"), [(b"", "the file is empty"), (b"%PDF-1.7", "is a PDF"), (b"x", "too short to train on")]
)
def test_data_inspect_bad_file_is_one_line(charrnn: Charrnn, folder: Path, content: bytes, part: str) -> None:
    (folder / "bad.txt").write_bytes(content)
    result = charrnn("data", "inspect", "bad.txt")
    assert result.failed_with(1, "bad.txt: ", part) if len(content) != 1 else part in result.err


def test_data_inspect_several_texts_are_read_as_train_reads_them(charrnn: Charrnn, folder: Path) -> None:
    """As `train` reads them: with a line end between files; the first that is no UTF-8 says the encoding of all."""
    (folder / "a.txt").write_text("One line, Ünd one\nmore", encoding="utf-8")
    (folder / "b.txt.gz").write_bytes(gzip.compress(b"plain words\n"))
    both = json.loads(charrnn("data", "inspect", "a.txt", "b*", "--json", "--no-advice").text)
    assert (both["text"], both["characters"], both["encoding"]) == ("a.txt and 1 more file", 35, "utf-8")
    typed = charrnn("data", "inspect", "-", "--json", "--no-advice", stdin=b"caf\xe9 noir, tr\xe8s noir\n" * 9)
    assert (json.loads(typed.text)["encoding"], json.loads(typed.text)["text"]) == ("cp1252", "standard input")
    mixed = charrnn("data", "inspect", "a.txt", "-", "--json", "--no-advice", stdin=b"caf\xe9 noir, tr\xe8s noir\n" * 9)
    assert json.loads(mixed.text)["encoding"] == "cp1252"
    lower = json.loads(charrnn("data", "inspect", "a.txt", "--lower", "--json", "--no-advice").text)
    assert lower["vocab_size"] == lower["lower_vocab_size"]
