"""What may be said of each place in a text, as a number that a unit of a network might keep: its column, its depth, ...

Each number follows from the characters up to its place, as a network's state does. Prose and code are read alike, by
plain rules, so some places are misjudged: an apostrophe before a word may open a quotation, until its line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CLOSES = {"(": ")", "[": "]", "{": "}"}
TAB = 8
"""Columns of a tab in an indentation."""
THREE = ('"""', "'''")
OPENING, CLOSING = "“„«", "”»"

Numbers = list[float]


def features(characters: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """All of them, by what they are called.

    Args:
        characters: (N,) of the text.

    Returns:
        (N,) each; after each character.
    """
    return {name: np.array(of(characters), np.float64) for name, of in FEATURES.items()}


def _since(is_end: Callable[[str, str], bool]) -> Callable[[Sequence[str]], Numbers]:
    """How many characters ago something ended, told from a character and the one before it."""

    def count(characters: Sequence[str]) -> Numbers:
        found: Numbers = []
        number, before = 0, "\n"
        for one in characters:
            number = 0 if is_end(one, before) else number + 1
            found.append(number)
            before = one
        return found

    return count


def _ends_sentence(one: str, before: str) -> bool:
    return before in ".!?" and one.isspace()


def _ends_paragraph(one: str, before: str) -> bool:
    return one == before == "\n"


def _is(kind: Callable[[str], bool]) -> Callable[[Sequence[str]], Numbers]:
    return lambda characters: [float(kind(one)) for one in characters]


def _in_word(characters: Sequence[str]) -> Numbers:
    """Which letter of a word it is, from 1; 0 outside."""
    found: Numbers = []
    number = 0
    for one in characters:
        number = number + 1 if one.isalnum() or one in "_'’" else 0
        found.append(number)
    return found


def _in_capitals(characters: Sequence[str]) -> Numbers:
    """Whether the last two letters are capitals, and nothing but spaces is between and after them."""
    found: Numbers = []
    run = 0
    for one in characters:
        run = run + 1 if one.isupper() else run if one == " " else 0
        found.append(float(run > 1))
    return found


def _indentation(characters: Sequence[str]) -> Numbers:
    """Columns of white space that the line began with so far."""
    found: Numbers = []
    width, is_begin = 0, True
    for one in characters:
        if one == "\n":
            width, is_begin = 0, True
        elif is_begin and one in " \t":
            width = width + 1 if one == " " else width // TAB * TAB + TAB
        else:
            is_begin = False
        found.append(width)
    return found


def _brackets(characters: Sequence[str]) -> Numbers:
    """How many brackets are open; none after an empty line."""
    found: Numbers = []
    open_ones: list[str] = []
    before = ""
    for one in characters:
        if one in CLOSES:
            open_ones.append(CLOSES[one])
        elif open_ones and one == open_ones[-1]:
            open_ones.pop()
        elif one == before == "\n":
            open_ones.clear()
        found.append(len(open_ones))
        before = one
    return found


def _quotes(characters: Sequence[str]) -> Numbers:
    r"""Whether a quotation is open.

    It is one of '...' (to the end of its line at most), "..." (to an empty line at most), triple quotes as in Python,
    or “...”. A quotation mark after a letter or digit opens nothing, and one after \ counts for nothing.
    """
    found: Numbers = []
    mark, before = "", "\n"  # what closes it; nothing outside
    last = ""
    is_escaped = False
    for one in characters:
        last = (last + one)[-3:]
        if is_escaped:
            is_escaped = False
        elif one == "\\" and mark:
            is_escaped = True
        elif mark in THREE:
            mark = "" if last == mark else mark
            last = last if mark else ""
        elif last in THREE and not mark:
            mark, last = last, ""
        elif mark:
            ends = one in CLOSING if mark == "”" else one == mark
            lost = one == "\n" and (mark == "'" or before == "\n")
            mark = "" if ends or lost else mark
        elif one in OPENING:
            mark = "”"
        elif one in "\"'" and not before.isalnum():
            mark = one
        found.append(float(bool(mark)))
        before = one
    return found


def _comment(characters: Sequence[str]) -> Numbers:
    """Whether a # with a space before and after it, or at the beginning of a line, stands before on the line."""
    found: Numbers = []
    is_comment, before, two = False, "\n", "\n"
    for one in characters:
        if one == "\n":
            is_comment = False
        elif one == " " and before == "#" and two.isspace():
            is_comment = True
        found.append(float(is_comment))
        before, two = one, before
    return found


def _tag(characters: Sequence[str]) -> Numbers:
    """Whether a < before a letter, / or ! is open, on its line."""
    found: Numbers = []
    is_tag, before = False, "\n"
    for one in characters:
        if one in ">\n":
            is_tag = False
        elif before == "<" and (one.isalpha() or one in "/!"):
            is_tag = True
        found.append(float(is_tag))
        before = one
    return found


FEATURES: dict[str, Callable[[Sequence[str]], Numbers]] = {
    "position in the line": _since(lambda one, before: one == "\n"),
    "inside quotes": _quotes,
    "depth of brackets": _brackets,
    "indentation of the line": _indentation,
    "position in the word": _in_word,
    "in a word": _is(str.isalnum),
    "position in the sentence": _since(_ends_sentence),
    "position in the paragraph": _since(_ends_paragraph),
    "upper case": _is(str.isupper),
    "in capitals": _in_capitals,
    "digits": _is(str.isdigit),
    "in a comment": _comment,
    "inside a tag": _tag,
}
"""Each from the characters of a text, by what it is called."""
