"""Text that is safe to show: control and format characters are escaped."""

from __future__ import annotations

import unicodedata


def escape_control_chars(text: str, line_end: str = "\n") -> str:
    r"""Escape the control and format characters of a text.

    Tabs are kept: they only leave room. A carriage return is escaped: text after it would overwrite the line.

    Args:
        text: any text, also with the surrogate escapes of a vocabulary of bytes.
        line_end: what to write for \n.
    """
    return "".join(_visible_character(character, line_end) for character in text)


def is_plain(character: str) -> bool:
    """Whether a terminal, or a page, shows a character and does nothing else.

    C: control and format characters (also those that turn the direction of writing), surrogates, unassigned; Zl, Zp:
    ends of lines and paragraphs.
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
