r"""What stands for characters that are hard to type, such as \n, in an option."""

from __future__ import annotations

import re

from charrnn.errors import UsageError

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_KNOWN = r"\n, \t, \r, \0, \xNN, \uNNNN, \UNNNNNNNN and, for a backslash, \\"


def unescaped(text: str) -> str:
    r"""The text that is meant: \n, \t, \r, \0, \\, \xNN, \uNNNN and \UNNNNNNNN are one character each.

    Raises:
        UsageError: a backslash is followed by something else, or the number is that of no character.
    """
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        if match[4] not in _LETTERS:
            raise UsageError(f"{match[0]}: is no escape; known are {_KNOWN}")
        return _LETTERS[match[4]]
    point = int(digits, 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise UsageError(f"{match[0]}: there is no such character")
    return chr(point)
