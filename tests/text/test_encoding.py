"""Guessing the encoding of a file: UTF-8 is certain, others are guessed."""

import pytest

from charrnn.errors import TextError
from charrnn.text.sources import CHUNK_SIZE
from charrnn.text.stats.encoding import Guess, guess_encoding

ENGLISH = "Plain words, and then a café.\n"
FRENCH = "L'été dernier, à Noël, où le garçon a mangé des pâtes : ça suffit, déjà vu !\n"
GERMAN = "Über die Straße fuhren die Bäcker, äußerst müde; für Ärzte größer.\n"
POLISH = "Zażółć gęślą jaźń, że się nie da.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга.\n"
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.\n"
HEBREW = "כל בני האדם נולדו בני חורין ושווים בערכם.\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
KOREAN = "모든 국민은 인간으로서의 존엄과 가치를 가지며\n"
CHINESE = "道可道，非常道。名可名，非常名。无名天地之始。\n"


def guessed(raw: bytes) -> Guess:
    return guess_encoding((raw[i : i + CHUNK_SIZE] for i in range(0, len(raw), CHUNK_SIZE)), "x.txt")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "cp1252"),
        (FRENCH, "cp1252"),
        ("“It’s — well,” he said… ‘naïve’.\n", "cp1252"),
        (FRENCH, "cp850"),
        (FRENCH, "mac-roman"),
        (GERMAN, "cp1252"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (GREEK, "cp1253"),
        (HEBREW, "cp1255"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (KOREAN, "euc-kr"),
        (CHINESE, "gb18030"),
        (ENGLISH, "utf-16-le"),
        (ENGLISH, "utf-16-be"),
        (KOREAN, "utf-16-le"),
        (ENGLISH, "utf-32-le"),
        (ENGLISH, "utf-32-be"),
    ],
)
def test_guess_encoding_finds_the_encoding(text: str, encoding: str) -> None:
    guess = guessed((text * 9).encode(encoding))
    assert (guess.encoding, guess.is_sure) == (encoding, False)


@pytest.mark.parametrize(
    ("encoding", "name", "reason"),
    [
        ("utf-8", "utf-8", "UTF-8"),
        ("utf-8-sig", "utf-8", "UTF-8 with a byte-order mark"),
        ("utf-16", "utf-16", "according to its byte-order mark"),
        ("utf-32", "utf-32", "according to its byte-order mark"),
    ],
)
def test_guess_encoding_utf_8_or_byte_order_mark_is_sure(encoding: str, name: str, reason: str) -> None:
    assert guessed(FRENCH.encode(encoding)) == Guess(name, reason)


@pytest.mark.parametrize("raw", [b"", b"plain", FRENCH.encode() * 5000])
def test_guess_encoding_utf_8_cut_by_chunks_is_utf_8(raw: bytes) -> None:
    assert guessed(raw).encoding == "utf-8"


def test_guess_encoding_single_byte_far_into_a_file_is_found() -> None:
    raw = b"plain words\n" * (CHUNK_SIZE // 6) + b"caf\xe9 noir\n"
    assert guessed(raw) == Guess(
        "cp1252", f"guessed from the text around byte {raw.index(0xE9)} (0xE9), which is not UTF-8", False
    )
    cut = FRENCH.encode() * 9 + "é".encode()[:1]
    assert f"byte {len(cut) - 1} (0xC3)" in guessed(cut).reason


def test_guess_encoding_binary_file_has_none_or_raises() -> None:
    assert guessed(bytes(range(256)) * 4) == Guess(
        None, "byte 128 (0x80) is not UTF-8, and the file has zero bytes", False
    )
    assert guessed(bytes(range(0x80, 0x100)) * 9).encoding is None
    with pytest.raises(TextError, match=r"x\.txt: is a PDF"):
        guessed(b"%PDF-1.4")
