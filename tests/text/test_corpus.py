"""Reading files into ids."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError
from charrnn.text import sources
from charrnn.text.corpus import Corpus, read_corpus, split_bounds
from charrnn.text.vocabulary import Vocabulary


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return path


def test_read_corpus_returns_the_ids_of_the_file(tmp_path: Path) -> None:
    text = "Zwölf Boxkämpfer\njagen Eva\n" * 20
    path = written(tmp_path, text.encode())
    corpus = read_corpus(path, CorpusConfig())
    assert corpus.vocabulary.decode(corpus.ids) == text
    assert corpus.vocabulary.characters == tuple(sorted(set(text)))
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert corpus.name == "text"
    assert isinstance(corpus.ids, np.memmap)
    assert corpus.ids.dtype == np.uint8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "utf-8-sig"])
def test_read_corpus_in_small_chunks_gives_the_same_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Characters and line ends that are split between two chunks."""
    monkeypatch.setattr(sources, "CHUNK_SIZE", 3)
    text = "aé\nöü\n\nß"
    path = written(tmp_path, text.replace("\n", "\r\n").encode(encoding))
    corpus = read_corpus(path, CorpusConfig(encoding=encoding))
    assert corpus.vocabulary.decode(corpus.ids) == text


def test_read_corpus_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    corpus = read_corpus(written(tmp_path, b"\xef\xbb\xbfabcabc"), CorpusConfig())
    assert corpus.vocabulary.characters == ("a", "b", "c")


def test_read_corpus_bytes_are_unchanged(tmp_path: Path) -> None:
    raw = bytes(range(256)) + b"\r\n\xef\xbb\xbf"
    corpus = read_corpus(written(tmp_path, raw), CorpusConfig(bytes=True))
    assert corpus.ids.tobytes() == raw
    assert len(corpus.vocabulary) == 256


@pytest.mark.parametrize("piece", [1, 2, 5, 1 << 20])
@pytest.mark.parametrize("before", ["", "abc", "aé€"])
def test_read_corpus_undecodable_byte_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, before: str
) -> None:
    monkeypatch.setattr(sources, "CHUNK_SIZE", piece)
    path = written(tmp_path, before.encode() + b"\xe9 la")
    with pytest.raises(TextError, match=rf"byte {len(before.encode())} \(0xE9\) is not utf-8; use --encoding"):
        read_corpus(path, CorpusConfig())


def test_read_corpus_more_than_256_characters_take_two_bytes(tmp_path: Path) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 300))) * 2
    corpus = read_corpus(written(tmp_path, text.encode()), CorpusConfig())
    assert corpus.ids.dtype == np.uint16
    assert corpus.vocabulary.decode(corpus.ids) == text


def test_read_corpus_given_vocabulary_is_used(tmp_path: Path) -> None:
    path = written(tmp_path, b"abba")
    corpus = read_corpus(path, CorpusConfig(), Vocabulary("zba"))
    assert corpus.ids.tolist() == [2, 1, 1, 2]
    with pytest.raises(TextError, match="the model does not know 1 of the text's characters, such as 'b'"):
        read_corpus(path, CorpusConfig(), Vocabulary("a"))


def test_read_corpus_progress_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    read_corpus(written(tmp_path, b"abcd"), CorpusConfig(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (8, 8)


@pytest.mark.parametrize(("content", "message"), [(b"", "the file is empty"), (b"\xef\xbb\xbf", "the file is empty")])
def test_read_corpus_empty_file_raises(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TextError, match=message):
        read_corpus(written(tmp_path, content), CorpusConfig())


def test_read_corpus_missing_file_folder_or_unknown_encoding_raises(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="is a folder"):
        read_corpus(tmp_path, CorpusConfig())
    with pytest.raises(TextError, match="not found; check the name"):
        read_corpus(tmp_path / "none", CorpusConfig())
    with pytest.raises(UsageError, match="--encoding utf-9: unknown encoding"):
        read_corpus(written(tmp_path, b"a"), CorpusConfig(encoding="utf-9"))


def test_read_corpus_file_that_changes_raises(tmp_path: Path) -> None:
    path = written(tmp_path, b"abcabc")

    def change(done: int, total: int) -> None:
        if done == 6:
            path.write_bytes(b"abcabb")

    with pytest.raises(TextError, match="the file changed while it was being read"):
        read_corpus(path, CorpusConfig(), progress=change)


def test_split_of_tiny_shakespeare_equals_nanogpts(tiny_shakespeare_corpus: Corpus) -> None:
    assert len(tiny_shakespeare_corpus.train) == 1_003_854
    assert len(tiny_shakespeare_corpus.validation) == 111_540
    assert len(tiny_shakespeare_corpus.test) == 0
    assert tiny_shakespeare_corpus.split == "90/10/0"


@pytest.mark.parametrize(
    ("length", "val", "test", "bounds"),
    [
        (1000, 0.1, 0.0, (900, 1000)),
        (1000, 0.1, 0.05, (850, 950)),
        (1000, 0.0, 0.0, (1000, 1000)),
        (3, 0.1, 0.0, (2, 3)),  # a part that should hold something does
        (4, 0.1, 0.1, (2, 3)),
    ],
)
def test_split_bounds_follow_the_fractions(length: int, val: float, test: float, bounds: tuple[int, int]) -> None:
    assert split_bounds(length, CorpusConfig(val_fraction=val, test_fraction=test)) == bounds


def test_split_bounds_of_a_short_text_raise() -> None:
    with pytest.raises(TextError, match="too few characters to train on: 1 in all, 1 held out"):
        split_bounds(1, CorpusConfig())
    with pytest.raises(UsageError, match="no text is left to train on"):
        CorpusConfig(val_fraction=0.5, test_fraction=0.5)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-7"])
def test_read_corpus_ascii_chunks_are_read_like_others(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASCII has a fast path, which must not be taken in the middle of a character, a line end or a shift sequence."""
    monkeypatch.setattr("charrnn.text.sources.CHUNK_SIZE", 8)
    text = "plain plain plain é plain plain\r\nplain\rpla+in ü\r\n" * 3 + "1234567\r" + "\nplain, plain"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    corpus = read_corpus(path, CorpusConfig(encoding=encoding))
    decode = corpus.vocabulary.decoder()
    assert "".join(map(decode, corpus.ids.tolist())) == text.replace("\r\n", "\n").replace("\r", "\n")
