"""Files that are not text, odd texts, and texts that change while being read: commands work or give one-line errors."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text import sources
from charrnn.text.corpus import read_corpus

READERS: tuple[tuple[str, ...], ...] = (
    ("train",),
    ("ngram",),
    ("score", "text-tuned-3", "--text"),
    ("compare", "text-tuned-3", "--text"),
)
"""Commands that accept the name of a text as the last argument."""
RAW = TEXT.encode()
MANY = "".join(map(chr, (*range(0x20, 0xD800), *range(0xE000, 0x20000))))[:100_000]


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, TEXT)
    return file.getvalue()


def tarred(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return file.getvalue()


def spoiled(packed: bytes) -> bytes:
    """Return the data with a changed byte in the middle."""
    middle = len(packed) // 2
    return packed[:middle] + bytes((packed[middle] ^ 0x55,)) + packed[middle + 1 :]


NO_TEXTS = {
    "surrogate": (RAW + b"\xed\xa0\x80" + RAW, f"byte {len(RAW)} (0xED) is not utf-8; use --encoding"),
    "far": (b"to be " * 500_000 + b"\xff" + RAW, "byte 3000000 (0xFF) is not utf-8"),
    "utf-16": (TEXT.encode("utf-16"), "byte 0 (0xFF) is not utf-8; use --encoding (latin-1, cp1252, utf-16"),
    "gzip cut off": (
        gzip.compress(RAW)[:-9],
        "is compressed (gzip) but truncated; download or compress the file again",
    ),
    "gzip damaged": (spoiled(gzip.compress(RAW)), "is compressed (gzip) but damaged ("),
    "gzip of gzip": (gzip.compress(gzip.compress(RAW)), "is compressed twice (gzip); decompress the file first"),
    "bzip2 cut off": (bz2.compress(RAW)[:-9], "is compressed (bzip2) but truncated"),
    "bzip2 damaged": (spoiled(bz2.compress(RAW)), "is compressed (bzip2) but damaged ("),
    "xz cut off": (lzma.compress(RAW)[:-9], "is compressed (xz) but truncated"),
    "xz damaged": (spoiled(lzma.compress(RAW)), "is compressed (xz) but damaged ("),
    "nothing in gzip": (gzip.compress(b""), "the file is empty; use a text with some thousands of characters"),
    "tar in gzip": (gzip.compress(tarred("a.txt")), "is a tar archive; extract it first with `tar xf`"),
    "zstandard": (b"\x28\xb5\x2f\xfd" + RAW, "is compressed (Zstandard); decompress the file first"),
    "docx": (zipped("word/document.xml"), "is a ZIP archive or a document (.docx, .odt, .epub); extract it or save"),
    "pdf": (b"%PDF-1.7\n" + RAW, "is a PDF; save it as plain text first with `pdftotext`"),
    "empty": (b"", "the file is empty; use a text with some thousands of characters"),
    "mark": (b"\xef\xbb\xbf", "the file is empty; use a text with some thousands of characters"),
}


@pytest.mark.parametrize("kind", NO_TEXTS)
def test_bad_text_is_one_line(charrnn: Charrnn, models: Path, folder: Path, kind: str) -> None:
    content, message = NO_TEXTS[kind]
    (folder / "bad.txt").write_bytes(content)
    for words in READERS[1:3]:  # one reads a text to fit, one for a model
        assert charrnn(*words, "bad.txt").failed_with(1, f"bad.txt: {message}"), words


def test_training_text_replaced_by_an_archive_is_one_line(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """`compare`, `score` and `sample --novelty` read the training text again."""
    (folder / "text.txt").write_bytes(zipped("text.txt"))
    for words in (("score",), ("compare",), ("sample", "--novelty")):
        result = charrnn(*words)
        assert result.status == 1
        assert result.err.splitlines()[-1].startswith("charrnn: text.txt: is a ZIP archive or a document")


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "/dev/null", "/dev/stdin", "folder"])
def test_pipe_device_or_folder_is_not_opened(charrnn: Charrnn, models: Path, folder: Path, kind: str) -> None:
    """Opening a pipe that nobody writes to would block forever, and /dev/zero never ends."""
    name = kind
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    elif not Path(kind).exists() or Path(kind).is_file():
        pytest.skip(f"{kind} is no device here")
    for words in READERS:
        step = "pass its files, for example" if kind == "folder" else "save the text to a file first"
        assert charrnn(*words, name).failed_with(1, f"{name}: is ", step), words


def test_text_without_permission_is_one_line(
    charrnn: Charrnn, models: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who can read everything, so the system's answer is simulated."""
    whole = Path.open

    def refuse(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == "shut.txt":
            raise PermissionError(13, "Permission denied", "shut.txt")
        return whole(path, *arguments, **named)

    (folder / "shut.txt").write_bytes(RAW)
    monkeypatch.setattr(Path, "open", refuse)
    for words in READERS:
        message = "shut.txt: cannot be read: Permission denied; use another file"
        assert charrnn(*words, "shut.txt").failed_with(1, message), words


def test_folder_without_permission_is_one_line(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice was once to free disk space."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    assert charrnn("ngram", "a/b.txt").failed_with(1, "a/b.txt: Permission denied; use another file")


def test_name_that_is_too_long_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    """Training once failed at the lock file, with a name that the user had never typed."""
    assert charrnn("ngram", "a" * 300).failed_with(1, "File name too long; use another file")
    (folder / ("a" * 240)).write_bytes(RAW)
    for words in (("train", *SMALL), ("ngram",)):
        result = charrnn(*words, "a" * 240)
        assert result.failed_with(
            1, f"checkpoints/{'a' * 240}-", "File name too long; choose a shorter name with --out"
        )
        assert charrnn(*words, "a" * 240, "--out", words[0]).status == 0


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("change", ["grows", "shrinks", "is emptied", "is another"])
def test_text_that_changes_while_it_is_read_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, at: int
) -> None:
    """In the first or the second pass: there are three chunks, and one more progress call at the end of each pass."""
    monkeypatch.setattr(sources, "CHUNK_SIZE", 10_000)
    path = tmp_path / "text.txt"
    path.write_bytes((RAW * 20)[:30_000])
    told = 0

    def meddle(done: int, total: int) -> None:
        nonlocal told
        told += 1
        assert told < 10  # what grows for ever has an end all the same
        if change == "grows":  # at each piece, from one on
            if told >= at:
                with path.open("ab") as file:
                    file.write(RAW)
        elif told == at:
            with path.open("r+b") as file:
                if change == "is another":
                    file.write(b"z" * 30_000)
                else:
                    file.truncate(1 if change == "shrinks" else 0)

    if at == 8:  # all is read
        assert len(read_corpus(path, CorpusConfig(), progress=meddle)) == 30_000
        return
    with pytest.raises(
        TextError, match="the file changed while it was being read; try again, or use a copy of the file"
    ):
        read_corpus(path, CorpusConfig(), progress=meddle)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_text_deleted_or_replaced_while_open_is_read_whole(tmp_path: Path, is_replaced: bool) -> None:
    """As editors save files: an open file keeps its content."""
    path, new = tmp_path / "text.txt", tmp_path / "new.txt"
    path.write_bytes(RAW)
    new.write_bytes(b"z" * 100)

    def meddle(done: int, total: int) -> None:
        if is_replaced and new.exists():
            new.replace(path)
        elif not is_replaced:
            path.unlink(missing_ok=True)

    corpus = read_corpus(path, CorpusConfig(), progress=meddle)
    assert corpus.vocabulary.decode(corpus.ids) == TEXT
    assert path.exists() == is_replaced


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_make_no_difference(
    charrnn: Charrnn, models: Path, folder: Path, ends: str
) -> None:
    (folder / "odd.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", ends).encode())
    assert "odd.txt: 1,700 characters, vocabulary size 24" in charrnn("ngram", "odd.txt", "--order", 2).err
    assert charrnn("score", "text-lstm", "--text", "odd.txt").status == 0


def test_text_with_zero_bytes_is_read_by_all_commands(charrnn: Charrnn, folder: Path) -> None:
    (folder / "zeros.txt").write_bytes(b"to be\0or not\0" * 50)
    assert charrnn("train", "zeros.txt", *SMALL).status == 0
    assert charrnn("ngram", "zeros.txt").status == 0
    for model in ("zeros-lstm", "zeros-tuned-9"):
        assert charrnn("score", model, "--text", "zeros.txt").status == 0
    assert charrnn("compare", "--length", 20, "--novelty-length", 0).status == 0
    assert charrnn("sample", "zeros-tuned-9", "--temp", 0, "--length", 20, "--prime", "to be").out.count(b"\0") == 3


def test_text_of_one_character_is_scored_but_not_fitted(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "one.txt").write_bytes(b"T")
    for words in READERS[:2]:
        assert charrnn(*words, "one.txt").failed_with(
            1, "one.txt: too few characters to train on: 1 in all, 1 held out"
        )
    for words in READERS[2:]:
        assert charrnn(*words, "one.txt").status == 0


def test_text_of_100_000_different_characters_fits_in_memory(charrnn: Charrnn, folder: Path) -> None:
    """Scoring a network once computed 4,096 times as many logits at once: 3.6 GB."""
    (folder / "many.txt").write_text(MANY, encoding="utf-8")
    result = charrnn("ngram", "many.txt", "--order", 3, "--val-fraction", 0.001)
    assert "100,000 characters, vocabulary size 100,000" in result.err
    sample = charrnn("sample", "--length", 20).text
    assert len(sample) == 20
    words = ("--hidden", 2, "--layers", 1, "--steps", 1, "--seq-length", 64, "--val-fraction", 0.001)
    result = charrnn("train", "many.txt", *words, "--batch-size", 1)
    assert result.status == 0
    assert "memory" not in result.err


def test_train_many_different_characters_warns_of_memory(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.cli.train.console.MUCH_MEMORY", 0.05)
    (folder / "many.txt").write_text(MANY[:3000], encoding="utf-8")
    shown = charrnn("train", "many.txt", *SMALL).err
    assert "about 0.2 GB per step, for a batch of 2,048 characters and a vocabulary of 3,000; to use less, try" in shown
    assert shown.index("memory ") < shown.index("step 1")


def made_large(path: Path, piece: bytes, times: int, end: bytes = b"") -> None:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(piece)
        file.write(end)


def peak_of(folder: Path, *words: object) -> tuple[int, str, float]:
    """Run a command in its own process; return its status, its output, and its peak memory in GB."""
    code = (
        "import resource, sys\nfrom charrnn.cli.main import main\ntry:\n    main()\nfinally:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stderr, int(ran.stdout) / 1e6


@pytest.mark.slow
def test_bad_byte_in_100_mb_takes_little_memory(tmp_path: Path) -> None:
    """It takes seconds, and no more memory than a small text."""
    made_large(tmp_path / "bad.txt", b"to be or not to be, that is the question\n" * 1000, 2500, b"\xff")
    status, err, peak = peak_of(tmp_path, "ngram", "bad.txt")
    assert (status, err) == (1, err)
    assert err.startswith("charrnn: bad.txt: byte 102500000 (0xFF) is not utf-8")
    print(f"{peak:.2f} GB")
    assert peak < 0.5


@pytest.mark.slow
def test_text_of_one_1_gb_line_takes_little_memory(tmp_path: Path) -> None:
    """Reading needs memory for one chunk, whatever the line length; training steps use a memory-mapped text."""
    made_large(tmp_path / "line.txt", b"to be or not to be, that is the question; " * 1000, 24_000)
    words = ("--hidden", 8, "--steps", 1, "--val-fraction", 0)
    status, err, peak = peak_of(tmp_path, "train", "line.txt", *words)
    assert status == 0, err
    assert "1,008,000,000 characters" in err
    print(f"{peak:.2f} GB")
    assert peak < 1
