r"""Escape sequences such as \n in the values of options."""

from __future__ import annotations

import os
import re
import unicodedata

from charrnn.errors import UsageError

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_NAMES = {character: f"\\{letter}" for letter, character in _LETTERS.items()}
_KNOWN = r"a line end is \n, a backslash \\; \t, \r, \0, \xNN, \uNNNN and \UNNNNNNNN are known, too"


def unescaped(text: str) -> str:
    r"""Replace escape sequences by their characters: \n, \t, \r, \0, \\, \xNN, \uNNNN and \UNNNNNNNN.

    Raises:
        UsageError: a backslash is followed by something else, or there is no character of that number.
    """
    return _ESCAPE.sub(_character, _as_utf8(text))


def _as_utf8(text: str) -> str:
    """Decode arguments as UTF-8 in an ASCII locale too, where Python turns other bytes into surrogates."""
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def escaped(text: str) -> str:
    """The inverse of `unescaped`: on one line, without control characters."""
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character in _NAMES:
        return _NAMES[character]
    point = ord(character)
    if unicodedata.category(character)[0] not in "CZ" or character == " ":
        return character
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        if match[4] not in _LETTERS:
            raise UsageError(f"{match[0]}: not an escape sequence; {_KNOWN}")
        return _LETTERS[match[4]]
    point = int(digits, 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise UsageError(f"{match[0]}: there is no such character")
    return chr(point)
