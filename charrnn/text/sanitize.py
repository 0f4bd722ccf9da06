"""Text that cannot do anything to what shows it: control and format characters as their codes."""

from __future__ import annotations

import unicodedata


def visible(text: str, line_end: str = "\n") -> str:
    r"""Text in which what is no plain character is written as its code.

    Tabs stay: all they do is to leave room. A carriage return, after which a line is written over, does not.

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
        return f"\\x{point - 0xDC00:02x}"  # a surrogate escape: a byte that is no UTF-8
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
