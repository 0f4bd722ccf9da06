"""Escaping of control and format characters, for text that is safe to display."""

from __future__ import annotations

import unicodedata


def escape_control_chars(text: str, line_end: str = "\n") -> str:
    r"""Escape the control and format characters of a text.

    Tabs are kept because they only move the cursor. Carriage returns are escaped because they would overwrite the line.

    Args:
        text: any text, including the surrogate escapes of a byte vocabulary.
        line_end: the replacement for \n.
    """
    return "".join(_visible_character(character, line_end) for character in text)


def is_plain(character: str) -> bool:
    """Return whether a terminal or a page displays a character without any other effect.

    False for control characters, format characters (which may change the writing direction), surrogates, unassigned
    characters, and line and paragraph separators: the Unicode categories C, Zl and Zp.
    """
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")


def _visible_character(character: str, line_end: str) -> str:
    if character == "\n":
        return line_end
    if character == "\t" or is_plain(character):
        return character
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"  # a surrogate escape: a byte that is not UTF-8
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
