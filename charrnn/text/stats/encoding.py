"""Detecting the encoding of a file: UTF-8 is verified, other encodings are guessed. Needs only bytes and alphabets.

Libraries that choose among a hundred encodings mistake short French texts for Baltic (see docs/project/experiments.md).
This module tries the few encodings that real files use, the most common first. An encoding must decode the file to
words: letters next to letters of the same alphabet, lower case after upper case, punctuation between words.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from charrnn.text.decode import reject_non_text

MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "according to its byte-order mark"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32", "according to its byte-order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "according to its byte-order mark"),
    (codecs.BOM_UTF16_BE, "utf-16", "according to its byte-order mark"),
)
"""Byte-order marks, with the encoding and the reason to report."""
SINGLE = (
    "cp1252", "latin-1", "cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253", "cp1255", "cp1256", "cp850", "cp866",
    "mac-roman",
)  # fmt: skip
"""Encodings with one byte per character; the first of those that fit equally well is chosen."""
DOUBLE = {
    "cp932": ((0x82, 0x83), (0x88, 0x97)),
    "euc-kr": ((0xB0, 0xC8),),
    "euc-jp": ((0xA4, 0xA5), (0xB0, 0xCF)),
    "gb18030": ((0xB0, 0xD7),),
    "big5": ((0xA4, 0xC6),),
}
"""Encodings with two bytes per character, and the ranges of the first bytes of their common characters."""
MIN_SCORE = 0.4
"""The lowest score of a guess; see `_score_single` and `_score_double`."""
SAMPLE_SIZE = 1 << 15
"""The number of bytes that a guess is based on."""
SIGNS = "“”„‘’‚«»‹›–—…°§©®™€£¥•·¿¡×½¼¾²³№"
"""Characters that are not letters, and common between words."""


@dataclass(frozen=True)
class Guess:
    """The detected encoding of a file.

    Attributes:
        encoding: Python's name, for --encoding; None if no encoding decodes the file to words.
        reason: the reason, in words.
        is_sure: whether the encoding is certain, not guessed.
    """

    encoding: str | None
    reason: str
    is_sure: bool = True


def guess_encoding(pieces: Iterator[bytes], name: str) -> Guess:
    """Detect the encoding of a file: read all of it as UTF-8, or guess from the bytes around the first invalid byte.

    Args:
        pieces: the bytes of the file, in pieces.
        name: the name of the file, for error messages.

    Raises:
        TextError: the file has a known format that is not plain text, such as PDF.
    """
    decoder, offset, before, last = codecs.getincrementaldecoder("utf-8")(), 0, b"", b""
    for raw in pieces:
        if offset == 0:
            reject_non_text(name, raw)
            for mark, encoding, reason in MARKS:
                if raw.startswith(mark) and encoding != "utf-8":
                    return Guess(encoding, reason)
            if wide := _wide(raw[:SAMPLE_SIZE]):
                return wide
            before = raw[: len(codecs.BOM_UTF8)]
        try:
            if not (raw.isascii() and decoder.getstate() == (b"", 0)):
                decoder.decode(raw)
        except UnicodeDecodeError as error:
            # The error's object begins with the undecoded rest of the previous piece.
            at = offset + len(raw) - len(error.object) + error.start
            around = last + raw + next(pieces, b"")
            return _guess_from(around, at - offset + len(last), at)
        offset += len(raw)
        last = (last + raw)[-SAMPLE_SIZE:]
    left = decoder.getstate()[0]
    if left:
        return _guess_from(last, len(last) - len(left), offset - len(left))
    return Guess("utf-8", MARKS[0][2] if before == codecs.BOM_UTF8 else "UTF-8")


def _wide(raw: bytes) -> Guess | None:
    """Detect UTF-16 or UTF-32 without a byte-order mark: their ASCII has zero bytes at regular positions."""
    zeros = [raw[i::4].count(0) for i in range(4)]
    if not sum(zeros):
        return None
    fits = {
        "utf-16-le": (zeros[1] + zeros[3], zeros[0] + zeros[2]),
        "utf-16-be": (zeros[0] + zeros[2], zeros[1] + zeros[3]),
        "utf-32-le": (min(zeros[2:]) * 2, zeros[0]),
        "utf-32-be": (min(zeros[:2]) * 2, zeros[3]),
    }
    for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):  # few bytes are UTF-32 by chance
        expected, unexpected = fits[name]
        text = _decoded(raw, name)
        if expected > 2 * unexpected and text is not None and _is_readable(text):
            return Guess(name, "guessed from its zero bytes, as it has no byte-order mark", is_sure=False)
    return None


def _guess_from(around: bytes, place: int, at: int) -> Guess:
    """Guess the encoding from bytes around the first byte that is not UTF-8.

    Args:
        around: the bytes.
        place: position of the invalid byte in `around`.
        at: position of the invalid byte in the file.
    """
    begin = max(0, place - SAMPLE_SIZE // 4)
    raw = around[begin : begin + SAMPLE_SIZE]
    if at > place - begin and b"\n" in raw[: place - begin]:  # no character is split at the beginning of a line
        raw = raw[raw.index(b"\n") + 1 :]
    byte = f"byte {at} (0x{around[place]:02X})"
    if b"\0" in raw:
        return Guess(None, f"{byte} is not UTF-8, and the file has zero bytes", is_sure=False)
    scores = {name: _score_single(text) for name in SINGLE if (text := _decoded(raw, name)) is not None}
    for name, ranges in DOUBLE.items():
        if _decoded(raw, name) is not None:
            scores[name] = _score_double(raw, ranges)
    best = max(scores, key=scores.__getitem__, default=None)
    if best is None or scores[best] < MIN_SCORE:
        return Guess(None, f"{byte} is not UTF-8, and no common encoding gives words", is_sure=False)
    return Guess(best, f"guessed from the text around {byte}, which is not UTF-8", is_sure=False)


def _decoded(raw: bytes, encoding: str) -> str | None:
    """Decode bytes, without an incomplete character at the end; return None if they are invalid."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeError:
        return None


def _is_readable(text: str) -> bool:
    """Whether at most 1% of a text is control, private-use or unassigned characters."""
    odd = sum(unicodedata.category(character) in ("Cc", "Cn", "Co") for character in text if character not in "\n\r\t")
    return odd <= len(text) // 100


def _score_single(text: str) -> float:
    """Rate from −1 to 1 how well the non-ASCII characters fit into words, or between words."""
    places = [i for i, character in enumerate(text) if character > "\x7f"]
    # An alphabet without case, such as Hebrew, may be mistaken for one in which all letters have the same case.
    cased = [text[i].isupper() for i in places if text[i].isupper() or text[i].islower()]
    doubt = 0.1 if 2 * len(cased) > len(text) and len(set(cased)) == 1 else 0.0
    return sum(_score_at(text, i) for i in places) / max(1, len(places)) - doubt


def _score_at(text: str, i: int) -> float:
    """Rate how well a character fits its neighbors: 1 if it fits, −1 if it does not, 0 if undecided."""
    char, before, after = text[i], text[i - 1 : i], text[i + 1 : i + 2]
    if unicodedata.category(char) == "Mn":
        return 1.0 if before.isalpha() or unicodedata.category(before or " ") == "Mn" else -1.0
    if not char.isalpha():
        between = not (before.isalpha() and after.isalpha()) or char in "’·"
        return 1.0 if char in SIGNS and between else 0.0 if char == "\xa0" else -1.0
    alphabet = _alphabet(char)
    for neighbor in (before, after):
        if neighbor.isalpha() and _alphabet(neighbor) != alphabet:
            return -1.0
    if before.isalpha() and before.islower() and char.isupper():
        return -1.0
    if char in "ªº":
        return -1.0
    # In languages with Latin letters, few words have two accented letters in a row.
    return 0.0 if alphabet == "LATIN" and before > "\x7f" and before.isalpha() else 1.0


def _alphabet(letter: str) -> str:
    return "LATIN" if letter < "\x80" else unicodedata.name(letter, "").split(" ")[0]


def _score_double(raw: bytes, ranges: tuple[tuple[int, int], ...]) -> float:
    """Return the share of two-byte characters whose first byte is in the common ranges, from 0 to 1."""
    i = common = pairs = 0
    while i < len(raw) - 1:
        if raw[i] < 0x80:
            i += 1
            continue
        pairs += 1
        common += any(low <= raw[i] <= high for low, high in ranges)
        i += 2
    return common / max(1, pairs)
