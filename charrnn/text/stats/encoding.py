"""Which encoding a file is in: UTF-8 is known, others are guessed. Knows bytes and alphabets, nothing of models.

Libraries that guess any of a hundred encodings take short French for Baltic (see docs/project/experiments.md). Here there are
the few that files from real life are in, the commonest first, and each must read the file as words: letters beside
letters of their own alphabet, small ones after large ones, signs between words.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from charrnn.text.decode import reject_non_text

MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32, by its byte-order mark"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32, by its byte-order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16, by its byte-order mark"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16, by its byte-order mark"),
)
SINGLE = (
    "cp1252", "latin-1", "cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253", "cp1255", "cp1256", "cp850", "cp866",
    "mac-roman",
)  # fmt: skip
"""Of one byte a character; of two that read a text equally well, the first is guessed."""
DOUBLE = {
    "cp932": ((0x82, 0x83), (0x88, 0x97)),
    "euc-kr": ((0xB0, 0xC8),),
    "euc-jp": ((0xA4, 0xA5), (0xB0, 0xCF)),
    "gb18030": ((0xB0, 0xD7),),
    "big5": ((0xA4, 0xC6),),
}
"""Of two bytes a character; and the ranges of first bytes of the characters that are common there."""
MIN_SCORE = 0.4
"""The lowest score of a guess; see `_score_single` and `_score_double`."""
SAMPLE_SIZE = 1 << 15
"""The number of bytes that a guess is made from."""
SIGNS = "“”„‘’‚«»‹›–—…°§©®™€£¥•·¿¡×½¼¾²³№"
"""Not letters, and common between words."""


@dataclass(frozen=True)
class Guess:
    """What a file seems to be encoded in.

    Attributes:
        encoding: as Python calls it, for --encoding; None if it reads as text in none.
        reason: in words.
        is_sure: whether all of it was read, and is that.
    """

    encoding: str | None
    reason: str
    is_sure: bool = True


def guess_encoding(pieces: Iterator[bytes], name: str) -> Guess:
    """Read a file as UTF-8 to its end, or a little past the first byte that is not; then its encoding is guessed.

    Raises:
        TextError: it is known to be no text, such as a PDF.
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
            # The error's object begins with what was left of the piece before.
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
    """UTF-16 or UTF-32 without a mark: ASCII in it, if only line ends, has zero bytes at the same places."""
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
        there, elsewhere = fits[name]
        text = _decoded(raw, name)
        if there > 2 * elsewhere and text is not None and _is_readable(text):
            return Guess(name, f"{name.upper()} without a byte-order mark, by its zero bytes", is_sure=False)
    return None


def _guess_from(around: bytes, place: int, at: int) -> Guess:
    """Guess from the bytes around the first one that is not UTF-8: its place among them, and in the file."""
    begin = max(0, place - SAMPLE_SIZE // 4)
    raw = around[begin : begin + SAMPLE_SIZE]
    if at > place - begin and b"\n" in raw[: place - begin]:  # at a line's beginning no character is cut through
        raw = raw[raw.index(b"\n") + 1 :]
    where = f"byte {at} (0x{around[place]:02X}) is not UTF-8"
    if b"\0" in raw:
        return Guess(None, f"{where}, and there are zero bytes", is_sure=False)
    scores = {name: _score_single(text) for name in SINGLE if (text := _decoded(raw, name)) is not None}
    for name, ranges in DOUBLE.items():
        if _decoded(raw, name) is not None:
            scores[name] = _score_double(raw, ranges)
    best = max(scores, key=scores.__getitem__, default=None)
    if best is None or scores[best] < MIN_SCORE:
        return Guess(None, f"{where}, and in no common encoding there are words", is_sure=False)
    return Guess(best, f"{where}; guessed from what is around it", is_sure=False)


def _decoded(raw: bytes, encoding: str) -> str | None:
    """Bytes decoded, without a character that is cut off at the end; None if they do not decode."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeError:
        return None


def _is_readable(text: str) -> bool:
    """Whether next to none of it is control characters or characters that there are not."""
    odd = sum(unicodedata.category(character) in ("Cc", "Cn", "Co") for character in text if character not in "\n\r\t")
    return odd <= len(text) // 100


def _score_single(text: str) -> float:
    """From −1 to 1: how much the characters beyond ASCII look like parts of words, or like signs between them."""
    places = [i for i, character in enumerate(text) if character > "\x7f"]
    # An alphabet that has no capitals, such as the Hebrew one, looks like another in which all are, or none.
    cased = [text[i].isupper() for i in places if text[i].isupper() or text[i].islower()]
    doubt = 0.1 if 2 * len(cased) > len(text) and len(set(cased)) == 1 else 0.0
    return sum(_score_at(text, i) for i in places) / max(1, len(places)) - doubt


def _score_at(text: str, i: int) -> float:
    """1 if a character fits its neighbours, -1 if it does not."""
    char, before, after = text[i], text[i - 1 : i], text[i + 1 : i + 2]
    if unicodedata.category(char) == "Mn":
        return 1.0 if before.isalpha() or unicodedata.category(before or " ") == "Mn" else -1.0
    if not char.isalpha():
        between = not (before.isalpha() and after.isalpha()) or char in "’·"
        return 1.0 if char in SIGNS and between else 0.0 if char == "\xa0" else -1.0
    alphabet = _alphabet(char)
    for neighbour in (before, after):
        if neighbour.isalpha() and _alphabet(neighbour) != alphabet:
            return -1.0
    if before.isalpha() and before.islower() and char.isupper():
        return -1.0
    if char in "ªº":
        return -1.0
    # In languages with Latin letters few words have two accents side by side.
    return 0.0 if alphabet == "LATIN" and before > "\x7f" and before.isalpha() else 1.0


def _alphabet(letter: str) -> str:
    return "LATIN" if letter < "\x80" else unicodedata.name(letter, "").split(" ")[0]


def _score_double(raw: bytes, ranges: tuple[tuple[int, int], ...]) -> float:
    """From 0 to 1: the share of characters of two bytes that are common ones."""
    i = common = pairs = 0
    while i < len(raw) - 1:
        if raw[i] < 0x80:
            i += 1
            continue
        pairs += 1
        common += any(low <= raw[i] <= high for low, high in ranges)
        i += 2
    return common / max(1, pairs)
