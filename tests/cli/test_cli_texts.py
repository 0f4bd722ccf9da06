"""From a name to a text: where it is looked for, and every kind of file that is none."""

from pathlib import Path

import pytest
from program import TEXT, Charrnn

from charrnn.cli.shared.options import refuse_encoding
from charrnn.errors import UsageError


def test_text_name_is_looked_up_here_then_in_data(charrnn: Charrnn, folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "hamlet.txt").write_text(TEXT, encoding="utf-8")
    for name in ("hamlet.txt", "hamlet", "data/hamlet.txt"):
        assert "data/hamlet.txt: 1,700 characters, 24 different" in charrnn("ngram", name, "--order", 2).err
    (folder / "hamlet").write_text("another text", encoding="utf-8")
    assert "hamlet: 12 characters" in charrnn("ngram", "hamlet", "--order", 2, "--force").err


def test_text_name_missing_names_the_known_texts(charrnn: Charrnn) -> None:
    result = charrnn("train", "hamlet.txt")
    assert result.failed_with(1, "hamlet.txt: there is no such file, here or in data/", "shakespeare", "python")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"a", "1 character, of which 1 would be held out, are too few to train on; bring a longer text"),
        (b"ab", "2 characters, of which 1 would be held out, are too few"),
        (b"caf\xe9", "byte 3 (0xE9) is not utf-8; say --encoding (latin-1"),
        (bytes(range(256)), "byte 128 (0x80) is not utf-8"),
    ],
)
def test_bad_text_in_train_and_ngram_is_one_line(charrnn: Charrnn, folder: Path, content: bytes, part: str) -> None:
    (folder / "bad.txt").write_bytes(content)
    for command in ("train", "ngram"):
        assert charrnn(command, "bad.txt").failed_with(1, "bad.txt: ", part)


def test_folder_or_device_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("ngram", folder).failed_with(1, "is a folder; name a file in it")
    assert charrnn("ngram", "/dev/null").failed_with(1, "is not a regular file")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "punycode"])
def test_encoding_that_does_not_fit_is_one_line(charrnn: Charrnn, encoding: str) -> None:
    """UTF-16 without a byte-order mark once was a traceback: Python raises UnicodeError there, with no place in it."""
    assert charrnn("ngram", "text.txt", "--encoding", encoding).failed_with(1, "text.txt: ", f"is not {encoding}; say")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp037"])
def test_encoding_that_fits_reads_the_text(charrnn: Charrnn, folder: Path, encoding: str) -> None:
    (folder / "coded.txt").write_bytes(TEXT.encode(encoding))
    result = charrnn("ngram", "coded.txt", "--encoding", encoding, "--order", 2)
    assert result.status == 0
    assert "coded.txt: 1,700 characters, 24 different" in result.err


def test_text_of_three_characters_can_be_fitted(charrnn: Charrnn, folder: Path) -> None:
    (folder / "abc.txt").write_text("abc", encoding="utf-8")
    assert charrnn("train", "abc.txt", "--hidden", 4, "--steps", 1).status == 0
    assert charrnn("ngram", "abc.txt").status == 0


def test_text_without_room_for_its_ids_names_tmpdir(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full /tmp was once blamed on the text: "cannot be read: No space left on device"."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("charrnn.text.corpus._write_ids", full)
    assert charrnn("ngram", "text.txt").failed_with(1, "No space left on device", "TMPDIR")


@pytest.mark.parametrize("name", ["sp ace.txt", "é.txt", "a'b.txt", "\x1b[31mred.txt", "-dash.txt", ".txt"])
def test_text_with_an_odd_name_is_read_and_shown_safely(charrnn: Charrnn, folder: Path, name: str) -> None:
    """File names are shown, and an escape sequence in one once reached the terminal."""
    (folder / name).write_text(TEXT, encoding="utf-8")
    result = charrnn("ngram", "--order", 2, "--", name)
    assert result.status == 0
    assert "\x1b[31m" not in result.err
    assert charrnn("sample", "--length", 3).status == 0


def test_refuse_encoding_given_names_what_it_applies_to() -> None:
    refuse_encoding(None, "--prime-file")
    with pytest.raises(UsageError, match="--encoding latin-1: applies only to --prime-file; remove it"):
        refuse_encoding("latin-1", "--prime-file")


@pytest.mark.parametrize("command", ["score", "compare", "view"])
def test_encoding_without_a_text_is_refused(charrnn: Charrnn, models: Path, command: str) -> None:
    wrong = charrnn(command, "text-tuned-3", "--encoding", "latin-1")
    assert wrong.failed_with(2, "--encoding latin-1: applies only to --text; remove it")
