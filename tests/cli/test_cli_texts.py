"""From a name to a text: where it is looked for, and every kind of file that is none."""

import gzip
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
        assert "data/hamlet.txt: 1,700 characters, vocabulary size 24" in charrnn("ngram", name, "--order", 2).err
    (folder / "hamlet").write_text("another text", encoding="utf-8")
    assert "hamlet: 12 characters" in charrnn("ngram", "hamlet", "--order", 2, "--force").err


def test_text_name_missing_names_the_known_texts(charrnn: Charrnn) -> None:
    result = charrnn("train", "hamlet.txt")
    assert result.failed_with(1, "hamlet.txt: not found, here or in data/", "shakespeare", "python")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"a", "too few characters to train on: 1 in all, 1 held out; use a longer text"),
        (b"ab", "too few characters to train on: 2 in all, 1 held out"),
        (b"caf\xe9", "byte 3 (0xE9) is not utf-8; use --encoding (latin-1"),
        (bytes(range(256)), "byte 128 (0x80) is not utf-8"),
    ],
)
def test_bad_text_in_train_and_ngram_is_one_line(charrnn: Charrnn, folder: Path, content: bytes, part: str) -> None:
    (folder / "bad.txt").write_bytes(content)
    for command in ("train", "ngram"):
        assert charrnn(command, "bad.txt").failed_with(1, "bad.txt: ", part)


def test_folder_or_device_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("ngram", folder).failed_with(1, "is a folder; pass its files, for example")
    assert charrnn("ngram", "/dev/null").failed_with(1, "is not a regular file")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "punycode"])
def test_encoding_that_does_not_fit_is_one_line(charrnn: Charrnn, encoding: str) -> None:
    """UTF-16 without a byte-order mark once was a traceback: Python raises UnicodeError there, with no place in it."""
    assert charrnn("ngram", "text.txt", "--encoding", encoding).failed_with(1, "text.txt: ", f"is not {encoding}; use")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp037"])
def test_encoding_that_fits_reads_the_text(charrnn: Charrnn, folder: Path, encoding: str) -> None:
    (folder / "coded.txt").write_bytes(TEXT.encode(encoding))
    result = charrnn("ngram", "coded.txt", "--encoding", encoding, "--order", 2)
    assert result.status == 0
    assert "coded.txt: 1,700 characters, vocabulary size 24" in result.err


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
    with pytest.raises(UsageError, match="--encoding latin-1: has no effect without --prime-file; remove it"):
        refuse_encoding("latin-1", "--prime-file")


@pytest.mark.parametrize(
    ("words", "example"),
    [
        ("score text-tuned-3 --text dir", "--text 'dir/*'"),
        ("compare text-tuned-3 --text dir/", "--text 'dir/*'"),
        ("view text-tuned-3 --text dir", "--text 'dir/*'"),
        ("sample text-tuned-3 --novelty --text dir", "--text 'dir/*'"),
        ("ngram dir", "'dir/*'"),
        ("train dir", "'dir/*'"),
        ("data inspect in-data", "'in-data/*'"),
    ],
)
def test_text_that_is_a_folder_names_the_pattern(charrnn: Charrnn, models: Path, words: str, example: str) -> None:
    """The help of --text once promised that folders are read."""
    for folder in (Path("dir"), Path("data/in-data")):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(TEXT, encoding="utf-8")
    wrong = charrnn(*words.split())
    assert wrong.failed_with(1, f"is a folder; pass its files, for example {example}\n")
    assert charrnn("score", "text-tuned-3", "--text", "dir/*").status == 0
    assert charrnn("data", "inspect", "in-data/*", "--no-advice").status == 0


@pytest.mark.parametrize("command", ["score", "compare", "view", "lab", "sample"])
def test_help_of_text_promises_no_folder(charrnn: Charrnn, command: str) -> None:
    shown = " ".join(charrnn(command, "--help").text.replace("│", " ").split())
    assert ": a file, a pattern such as 'novels/*.txt', a known text, or - for standard input" in shown
    assert "a folder, a pattern" not in shown


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("sample text.txt", "try `charrnn train text.txt` first"),
        ("sample shakespeare", "try `charrnn train shakespeare` first"),
        ("sample text-lstm --mix text.txt:0.5", "try `charrnn train text.txt` first"),
        ("view text.txt", "try `charrnn view NAME --text text.txt`"),
        ("compare text.txt", "try `charrnn compare NAME --text text.txt`"),
        ("compare text-lstm text.txt b.txt", "try `charrnn compare text-lstm --text text.txt --text b.txt`"),
        ("score text-lstm text.txt b.txt", "try `charrnn score text-lstm --text text.txt --text b.txt`"),
        ("score text.txt text-lstm text-tuned-3", "try `charrnn score text-lstm text-tuned-3 --text text.txt`"),
        ("complete text.txt text-lstm", "the checkpoint comes first: charrnn complete text-lstm text.txt"),
        ("complete text.txt", "the checkpoint comes first: charrnn complete NAME text.txt"),
    ],
)
def test_text_in_the_place_of_a_checkpoint_says_what_to_type(
    charrnn: Charrnn, models: Path, words: str, advice: str
) -> None:
    Path("b.txt").write_text(TEXT, encoding="utf-8")
    assert charrnn(*words.split()).failed_with(2, f" is a text, not a checkpoint; {advice}\n")


@pytest.mark.parametrize("command", ["sample", "score", "compare", "view", "inspect", "complete"])
@pytest.mark.parametrize("name", ["text-lstn", "checkpoints/text-lstn.safetensors"])
def test_checkpoint_name_misspelled_names_the_nearest(charrnn: Charrnn, models: Path, command: str, name: str) -> None:
    assert charrnn(command, name).failed_with(1, f"{name}: not found; did you mean text-lstm")


@pytest.mark.parametrize("option", ["--init-from", "--resume-from"])
def test_train_checkpoint_misspelled_or_text_is_refused(charrnn: Charrnn, models: Path, option: str) -> None:
    """Both options once said that a misspelled name does not exist, without the name that does."""
    assert charrnn("train", "text.txt", "--out", "new", option, "text-lstn").failed_with(
        1, "text-lstn: not found; did you mean text-lstm"
    )
    assert charrnn("train", "text.txt", "--out", "new", option, "text.txt").failed_with(
        2, f"text.txt is a text, not a checkpoint; {option} needs a checkpoint"
    )


@pytest.mark.parametrize("command", ["sample", "score", "inspect"])
def test_file_that_is_neither_checkpoint_nor_text_is_not_called_a_text(
    charrnn: Charrnn, models: Path, command: str
) -> None:
    """Any file that was not a checkpoint was once called a text. A compressed text is still one."""
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert charrnn(command, "picture.png").failed_with(2, "picture.png: not a checkpoint; pass a .safetensors file")
    Path("text.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert charrnn(command, "text.txt.gz").failed_with(2, "text.txt.gz is a text, not a checkpoint")


@pytest.mark.parametrize(
    ("name", "similar"), [("txet.txt", "text.txt"), ("tinyshakespear", "tinyshakespeare"), ("shakespere.txt", "shakes")]
)
def test_text_name_misspelled_names_the_nearest(charrnn: Charrnn, folder: Path, name: str, similar: str) -> None:
    assert charrnn("train", name).failed_with(1, f"{name}: not found, here or in data/; did you mean {similar}")


def test_checkpoint_name_like_no_other_says_how_to_make_one(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("sample", "zzz").failed_with(1, "zzz: not found; `charrnn train TEXT` creates a checkpoint")


@pytest.mark.parametrize("option", [(), ("--resume",)])
def test_train_text_that_is_a_checkpoint_names_resume_from(
    charrnn: Charrnn, models: Path, option: tuple[str, ...]
) -> None:
    wrong = charrnn("train", "text.txt", *option, "text-lstm-last")
    advice = "use `charrnn train TEXT --resume-from text-lstm-last`"
    assert wrong.failed_with(2, f"text-lstm-last: is a checkpoint, not a text; to resume it, {advice}")


def test_train_text_of_the_name_of_a_checkpoint_is_read(charrnn: Charrnn, models: Path) -> None:
    """A file is what its name means, before a name in checkpoints/."""
    Path("text-lstm").write_text(TEXT, encoding="utf-8")
    assert charrnn("train", "text-lstm", "--hidden", 4, "--steps", 1, "--out", "new").status == 0


@pytest.mark.parametrize("command", ["score", "compare", "view"])
def test_encoding_without_a_text_is_refused(charrnn: Charrnn, models: Path, command: str) -> None:
    wrong = charrnn(command, "text-tuned-3", "--encoding", "latin-1")
    assert wrong.failed_with(2, "--encoding latin-1: has no effect without --text; remove it")


def test_misspelled_text_in_another_folder_is_suggested_with_its_folder(charrnn: Charrnn, folder: Path) -> None:
    """The suggestion named the file without its folder, and failed when typed."""
    (folder / "sub").mkdir()
    (folder / "sub" / "novel.txt").write_text("some text")
    assert charrnn("ngram", "sub/nove.txt").failed_with(1, "did you mean sub/novel.txt?")


def test_checkpoint_in_the_place_of_a_text_is_named(charrnn: Charrnn, models: Path) -> None:
    """`ngram` and `score --text` called its bytes a wrong encoding."""
    for name in ("text-lstm", "checkpoints/text-lstm.safetensors"):
        for words in (["ngram", name], ["score", "--text", name]):
            assert charrnn(*words).failed_with(2, f"{name}: is a checkpoint, not a text; try `charrnn inspect {name}`")


def test_resume_from_without_text_asks_for_the_text(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("train", "--resume-from", "text-lstm").failed_with(
        2, "pass the text that the checkpoint was trained"
    )


def test_pattern_of_checkpoints_is_refused_as_a_pattern(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("compare", "checkpoints/text-*").failed_with(2, "checkpoints cannot be given as a pattern")


def test_empty_name_is_not_a_folder(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("sample", "").failed_with(1, "'': not found; pass the name of a checkpoint")
    assert charrnn("train", "").failed_with(1, "'': not found, here or in data/")
