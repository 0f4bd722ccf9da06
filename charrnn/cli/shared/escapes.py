r"""What stands for characters that are hard to type, such as \n, in an option."""

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
    r"""The text that is meant: \n, \t, \r, \0, \\, \xNN, \uNNNN and \UNNNNNNNN are one character each.

    Raises:
        UsageError: a backslash is followed by something else, or the number is that of no character.
    """
    return _ESCAPE.sub(_character, _as_utf8(text))


def _as_utf8(text: str) -> str:
    """What was typed, in UTF-8 even where the locale knows ASCII alone, and Python takes the rest for single bytes."""
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def escaped(text: str) -> str:
    """The inverse: on one line, and with nothing in it that acts on a terminal."""
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
