"""Statistics of a text, for texts where they are obvious, and the warnings about it."""

import unicodedata
from pathlib import Path

import pytest

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text import sources
from charrnn.text.stats.describe import Description, describe
from charrnn.text.stats.warnings import SHORT, find_warnings

FRENCH = "Où est-il ? Déjà à l'été, dans le café.\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.txt"


def described(path: Path, text: str | bytes, **options: object) -> Description:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return describe([path], CorpusConfig(**options))  # type: ignore[arg-type]


def named(text: Description) -> set[str]:
    return {warning.name for warning in find_warnings(text)}


def test_describe_counts_characters_and_lines(path: Path) -> None:
    text = described(path, "aab\r\n\r\n \t\r\nab \r\nlast é")
    assert (text.size, text.characters, text.vocab_size) == (23, 18, 9)
    assert text.counts == {"\n": 4, "a": 4, " ": 3, "b": 2, "\t": 1, "l": 1, "s": 1, "t": 1, "é": 1}
    assert list(text.counts)[:4] == ["\n", "a", " ", "b"]
    assert text.line_ends == ("CR LF",)
    assert (text.lines.number, text.lines.blank, text.lines.trailing_space) == (5, 2, 2)
    assert (text.lines.median_length, text.lines.length_90, text.lines.longest) == (3, 6, 6)
    assert text.rarer_than(2).keys() == set("\tlsté")


def test_describe_entropy_of_equal_shares_is_their_log(path: Path) -> None:
    assert described(path, "abab").entropy == 1
    assert described(path, "aaaa").entropy == 0
    assert described(path, "abcdabcd").entropy == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_describe_in_small_chunks_gives_the_same(path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Line ends, lines, letters and their accents, and separators may all be split between chunks."""
    raw = (
        unicodedata.normalize("NFD", FRENCH) * 2 + "-----\r\nline \t\n日本語ガ\n\n  \n----\n-----\n한글\r<eos>"
    ).encode()
    whole = described(path, raw)
    monkeypatch.setattr(sources, "CHUNK_SIZE", size)
    assert described(path, raw) == whole
    assert whole.lines.separators == {"-----": 2, "----": 1}


def test_describe_finds_normal_forms(path: Path) -> None:
    forms = ("NFC", "NFD", "NFKC", "NFKD")
    assert described(path, "plain").forms.forms == forms  # type: ignore[union-attr]
    composed, apart = described(path, FRENCH), described(path, unicodedata.normalize("NFD", FRENCH))
    assert composed.forms
    assert apart.forms
    assert composed.forms.forms == ("NFC", "NFKC")
    assert apart.forms.forms == ("NFD", "NFKD")
    assert (apart.forms.nfc_characters, apart.forms.nfc_vocab_size) == (len(FRENCH), len(set(FRENCH)))
    assert apart.characters > len(FRENCH)
    both = described(path, FRENCH + unicodedata.normalize("NFD", FRENCH))
    assert both.forms
    assert both.forms.forms == ()
    assert {"not_nfc"} <= named(both) & named(apart)
    assert "not_nfc" not in named(composed)


def test_describe_counts_lower_case_and_odd_characters(path: Path) -> None:
    text = described(path, "aA bB İ\x07\u200b\ue000\n")
    assert text.lower_vocab_size == len("ab i\u0307\x07\u200b\ue000\n")
    assert set(text.odd) == {"\x07", "\u200b", "\ue000"}
    assert "odd_characters" in named(text)


def test_describe_bytes_counts_surrogate_escapes(path: Path) -> None:
    text = described(path, b"a\xff\xff\r\n", bytes=True)
    assert text.counts == {"\udcff": 2, "\n": 1, "\r": 1, "a": 1}
    assert (text.vocab_size, text.forms, text.line_ends) == (256, None, ("LF",))
    assert text.as_json()["vocabulary"][0] == {
        "character": "\udcff", "code_point": None, "byte": 255, "name": None, "count": 2,
    }  # fmt: skip


def test_describe_split_has_the_sizes_of_the_corpus(path: Path) -> None:
    assert described(path, "ab" * 50).parts == {"train": 90, "validation": 10, "test": 0}
    text = described(path, "ab" * 50, val_fraction=0.2, test_fraction=0.1)
    assert text.parts == {"train": 70, "validation": 20, "test": 10}
    assert text.split == "70/20/10"
    assert described(path, "a").parts == {}


def test_describe_empty_or_undecodable_text_raises(path: Path) -> None:
    with pytest.raises(TextError, match="the file is empty"):
        described(path, "")
    with pytest.raises(TextError, match=r"byte 3 .* is not utf-8"):
        described(path, b"caf\xe9")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a", "too_short"),
        ("a few words", "short"),
        ("the same line again and again\n" * 99, "duplicates"),
        ("the same line again and again\n" * 99, "held_out_is_known"),
        ("x" * 100_001, "long_line"),
        ("one\n---\ntwo\n---\nthree\n---\n", "documents"),
        ("one<|endoftext|>\n<|endoftext|>\n<|endoftext|>\n<|endoftext|>\n", "documents"),
        ("one\ftwo\fthree\f", "documents"),
        ("one\r\ntwo\n", "line_ends"),
        ("one \ntwo\n", "trailing_space"),
        ("one\0two", "binary"),
        ("caf\ufffd", "replacement"),
        (FRENCH.encode().decode("latin-1").replace("\x83", "é") * 9, "broken_encoding"),
        ("".join(map(chr, range(0x4E00, 0x5A00))), "many_characters"),
        ("abcdef", "rare_characters"),
    ],
)
def test_find_warnings_names_each_problem(path: Path, text: str, name: str) -> None:
    actual = named(described(path, text))
    assert name in actual
    assert name not in named(described(path, "".join(f"{i * 7919:x} words of prose\n" for i in range(SHORT // 15))))
