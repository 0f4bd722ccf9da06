"""Plain, compressed and several files, as bytes."""

import bz2
import gzip
import hashlib
import io
import lzma
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError
from charrnn.text import sources
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.sources import STANDARD_INPUT, describe_paths, sources_of, stem_of

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def text_of(corpus: Corpus) -> str:
    return corpus.vocabulary.decode(corpus.ids.tolist())


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("piece", [7, 1 << 18])
def test_read_corpus_packed_files_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, piece: int
) -> None:
    """Whatever the name is; including several compressed files concatenated, as by `cat a.gz b.gz`."""
    monkeypatch.setattr(sources, "CHUNK_SIZE", piece)
    raw, pack = "Zwölf Boxkämpfer\n".encode() * 5, PACKERS[kind]
    path = tmp_path / "a.txt"
    path.write_bytes(pack(raw) + pack(b"x\n"))
    corpus = read_corpus(path, CorpusConfig())
    assert text_of(corpus) == (raw + b"x\n").decode()
    assert corpus.sha256 == hashlib.sha256(raw + b"x\n").hexdigest()
    assert read_corpus(path, CorpusConfig(bytes=True)).ids.tobytes() == raw + b"x\n"


def test_read_corpus_xz_padding_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK_SIZE", 4)
    (tmp_path / "a.xz").write_bytes(lzma.compress(b"ab") + bytes(8) + lzma.compress(b"c") + bytes(12))
    assert text_of(read_corpus(tmp_path / "a.xz", CorpusConfig())) == "abc"


def test_source_pieces_of_a_zip_bomb_stay_small(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(20 << 20)))
    with sources_of([tmp_path / "bomb.gz"], lambda done: None) as (source,):
        sizes = [len(piece) for piece in source.pieces(lambda done: None)]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= sources.CHUNK_SIZE


def test_read_corpus_xz_over_the_memory_limit_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_XZ_MEMORY", 1 << 20)
    (tmp_path / "a.xz").write_bytes(lzma.compress(b"abc"))
    with pytest.raises(TextError, match=r"a.xz: decompressing takes too much memory \(xz\); decompress the file first"):
        read_corpus(tmp_path / "a.xz", CorpusConfig())


def test_read_corpus_several_files_are_joined_by_line_ends(tmp_path: Path) -> None:
    """A newline is added after a file without one; byte-order marks and split line ends are handled per file."""
    parts = [b"\xef\xbb\xbfone\n", b"", b"two", b"three\r", b"\nfour"]
    paths = [tmp_path / f"{i}.txt" for i in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    corpus = read_corpus(paths, CorpusConfig())
    assert text_of(corpus) == "one\ntwo\nthree\n\nfour"
    assert corpus.sha256 == hashlib.sha256(b"\xef\xbb\xbfone\ntwo\nthree\r\n\nfour").hexdigest()
    assert (corpus.name, corpus.paths) == ("0-and-4-more", tuple(paths))
    assert read_corpus(paths, CorpusConfig(bytes=True)).ids.tobytes() == b"".join(parts)


@pytest.mark.parametrize("number", [3, sources.MAX_OPEN_FILES + 3])
def test_read_corpus_one_of_several_files_that_changes_raises(tmp_path: Path, number: int) -> None:
    """The first hundred files stay open; others are opened twice, and may have been replaced in between."""
    paths = [tmp_path / f"{i}.txt" for i in range(number)]
    for path in paths:
        path.write_bytes(b"ab\n")
    assert len(read_corpus(paths, CorpusConfig())) == 3 * number

    def meddle(done: int, total: int) -> None:
        if done == total // 2:
            paths[-1].write_bytes(b"ba\n")

    with pytest.raises(TextError, match="the file changed while it was being read"):
        read_corpus(paths, CorpusConfig(), progress=meddle)


def test_read_corpus_many_files_need_few_open_ones(tmp_path: Path) -> None:
    """Some systems limit a process to 64 open files."""
    paths = [tmp_path / f"{i}.txt" for i in range(300)]
    for path in paths:
        path.write_bytes(b"ab\n")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, before[1]))
    try:
        assert len(read_corpus(paths, CorpusConfig())) == 900
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_read_corpus_standard_input_twice_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"abc"))))
    corpus = read_corpus(STANDARD_INPUT, CorpusConfig())
    assert (text_of(corpus), corpus.name, corpus.source) == ("abc", "stdin", "standard input")
    with pytest.raises(UsageError, match="standard input can only be read once"):
        read_corpus([STANDARD_INPUT, STANDARD_INPUT], CorpusConfig())


def test_read_corpus_no_room_for_standard_input_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(TextError, match=r"standard input: cannot write .* No space left on device; .* TMPDIR"):
        read_corpus(STANDARD_INPUT, CorpusConfig())


@pytest.mark.parametrize(
    ("names", "stem", "words"),
    [
        (["a/b.txt"], "b", "a/b.txt"),
        (["a/b.txt.gz"], "b", "a/b.txt.gz"),
        ([".gz"], ".gz", ".gz"),
        (["-"], "stdin", "standard input"),
        (["b.txt", "-"], "b-and-1-more", "b.txt and 1 more file"),
        (["-", "b.txt", "c.txt"], "stdin-and-2-more", "standard input and 2 more files"),
    ],
)
def test_stem_of_and_described_name_the_files(names: list[str], stem: str, words: str) -> None:
    assert (stem_of([Path(name) for name in names]), describe_paths(names)) == (stem, words)
