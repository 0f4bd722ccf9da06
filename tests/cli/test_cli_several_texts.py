"""Several files, patterns, packed files and standard input, wherever a text is named."""

import gzip
import json
import lzma
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn

NGRAM = ("--order", 3)


@pytest.fixture
def files(folder: Path) -> Path:
    """novels/a.txt, novels/b.txt and c.txt.gz, which together are TEXT."""
    lines = TEXT.splitlines(keepends=True)
    (folder / "novels").mkdir()
    (folder / "novels" / "b.txt").write_text("".join(lines[10:20]), encoding="utf-8")
    (folder / "novels" / "a.txt").write_text("".join(lines[:10]), encoding="utf-8")
    (folder / "c.txt.gz").write_bytes(gzip.compress("".join(lines[20:]).encode()))
    return folder


def eval_result(folder: Path, name: str) -> dict[str, object]:
    raw = (folder / "checkpoints" / f"{name}.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    text: dict[str, object] = json.loads(header["__metadata__"]["charrnn"])["text"]
    return text


def test_several_texts_equal_the_text_they_join_to(charrnn: Charrnn, files: Path, models: Path) -> None:
    """So a model of them, and one of the single file, compare."""
    result = charrnn("ngram", "novels/*.txt", "c.txt.gz", *NGRAM)
    assert "novels/a.txt and 2 more files: 1,700 characters, vocabulary size 24" in result.err
    assert "checkpoints/a-and-2-more-tuned-3.safetensors" in result.err
    facts, single = eval_result(files, "a-and-2-more-tuned-3"), eval_result(files, "text-tuned-3")
    assert facts["paths"] == ["novels/a.txt", "novels/b.txt", "c.txt.gz"]
    assert (facts["sha256"], single["paths"]) == (single["sha256"], [])
    rows = json.loads(charrnn("compare", "a-and-2-more-tuned-3", "text-tuned-3", "--baselines", "none", "--json").out)
    assert len({row["bits_per_char"] for row in rows}) == 1
    scores = [
        json.loads(charrnn("score", "text-tuned-3", *names, "--json").out) for names in ((), ("--text", "text.txt"))
    ]
    assert {(one["part"], one["bits_per_char"]) for one in scores} == {("validation", rows[0]["bits_per_char"])}


def test_several_texts_training_is_resumed_and_used(charrnn: Charrnn, files: Path) -> None:
    names = ("novels/a.txt", "novels/b.txt", "c.txt.gz")
    assert charrnn("train", *names, *SMALL, "--save-every", 1).status == 0
    again = charrnn("train", *names, "--resume")
    assert (again.status, "resumed" in again.err) == (0, True)
    wrong = charrnn("train", *names[:2], "--resume-from", "checkpoints/a-and-2-more-lstm-last.safetensors")
    assert (
        "was trained on novels/a.txt and 2 more files, and novels/a.txt and 1 more file is a different text"
        in wrong.err
    )
    assert charrnn("score").status == 0
    assert charrnn("sample", "--novelty", "--length", 40).status == 0
    (files / "data").mkdir()
    (files / "novels").rename(files / "moved")
    assert charrnn("score").failed_with(1, "b.txt: not found") or "a.txt: not found" in charrnn("score").err
    for name in ("a.txt", "b.txt"):
        (files / "moved" / name).rename(files / "data" / name)
    assert charrnn("score").status == 0
    result = charrnn("sample", "--novelty", "--length", 40, "--text", "data/*.txt")
    assert result.status == 1
    assert "not the training text of a-and-2-more-lstm" in result.err
    options = [word for name in names for word in ("--text", Path(name).name)]
    assert charrnn("compare", *options, "--novelty-length", 0).status == 0


def test_standard_input_is_read_wherever_a_text_is_named(charrnn: Charrnn, files: Path) -> None:
    packed = lzma.compress(TEXT.encode())
    assert charrnn("train", "-", *SMALL, stdin=TEXT.encode()).status == 0
    assert "standard input: 1,700 characters, vocabulary size 24" in charrnn("ngram", "-", *NGRAM, stdin=packed).err
    assert (files / "checkpoints" / "stdin-tuned-3.safetensors").exists()
    message = (
        "stdin-lstm was trained on standard input, which cannot be read again; save the text to a file and pass it"
    )
    assert charrnn("score", "stdin-lstm").failed_with(1, message)
    named = json.loads(charrnn("score", "stdin-lstm", "--text", "text.txt", "--json").out)
    assert named["part"] == "validation"
    given = json.loads(charrnn("score", "stdin-lstm", "--text", "-", "--json", stdin=TEXT.encode()).out)
    assert (given["part"], given["bits_per_char"]) == ("validation", named["bits_per_char"])
    assert charrnn("compare", "stdin-lstm", "--text", "text.txt", "--novelty-length", 0).status == 0
    resumed = charrnn("train", "-", "--resume", stdin=TEXT.encode())
    assert "resumed" in resumed.err
    assert (
        "and 1 more file: 3,401 characters" in charrnn("ngram", "-", "text.txt", *NGRAM, stdin=b"x" + TEXT.encode()).err
    )


def test_several_texts_mistakes_are_one_line(charrnn: Charrnn, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert charrnn("ngram", "-", "-").failed_with(2, "-: standard input can be read only once; pass - only once")
    assert charrnn("ngram", "-").failed_with(1, "standard input: the file is empty")
    assert charrnn("train", "novels/*.md").failed_with(
        1, "novels/*.md: not found, as a file or as a pattern, here or in data/"
    )
    assert charrnn("train", "novels/a.txt", "novels/z.txt").failed_with(1, "novels/z.txt: not found")
    assert charrnn("train", "novels/a.txt", "novels").failed_with(
        1, "novels: is a folder; pass its files, for example 'novels/*'"
    )
    (files / "bad.txt").write_bytes(b"caf\xe9")
    assert charrnn("ngram", "text.txt", "bad.txt").failed_with(1, "bad.txt: byte 3 (0xE9) is not utf-8")
    monkeypatch.setattr("charrnn.cli.shared.locate.MAX_NAMES_SIZE", 30)
    assert charrnn("ngram", "novels/*.txt", "text.txt").failed_with(
        1, "3 input files: too many to store their names; join"
    )
    monkeypatch.setattr("charrnn.cli.shared.locate.world_size", lambda: 2)
    assert charrnn("ngram", "-").failed_with(
        2, "-: the processes of torchrun cannot share standard input; save the text"
    )


def test_text_named_like_a_pattern_or_standard_input_is_read(charrnn: Charrnn, files: Path) -> None:
    (files / "a[b]*.txt").write_text(TEXT, encoding="utf-8")
    assert "a[b]*.txt: 1,700 characters" in charrnn("ngram", "a[b]*.txt", *NGRAM).err
    (files / "-").write_text(TEXT, encoding="utf-8")
    assert "/-: 1,700 characters" in charrnn("ngram", "./-", *NGRAM).err
    assert charrnn("score", "--", "--tuned-3").status == 0
    twice = charrnn("ngram", "novels/a.txt", "novels/*.txt", "novels/b.txt", *NGRAM, "--force")
    assert "2 of the 4 file names are duplicates, which are read only once" in twice.err
    assert "novels/a.txt and 1 more file" in twice.err
