"""What may be said of each place in a text, as a number that a unit of a network might keep: its column, its depth, ...

Each number follows from the characters up to its place, as a network's state does. Prose and code are read alike, by
plain rules, so some places are misjudged: an apostrophe before a word may open a quotation, until its line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

CLOSES = {"(": ")", "[": "]", "{": "}"}
TAB = 8
"""Columns of a tab in an indentation."""
THREE = ('"""', "'''")
OPENING, CLOSING = "“„«", "”»"

Numbers = Iterator[float]


def features(characters: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """All of them, (N,) each, by what they are called, from the (N,) characters of a text."""
    return {name: np.fromiter(of(characters), np.float64) for name, of in FEATURES.items()}


def _since(is_end: Callable[[str, str], bool]) -> Callable[[Sequence[str]], Numbers]:
    """How many characters ago something ended, told from a character and the one before it."""

    def count(characters: Sequence[str]) -> Numbers:
        number, before = 0, "\n"
        for character in characters:
            number = 0 if is_end(character, before) else number + 1
            yield number
            before = character

    return count


def _ends_sentence(character: str, before: str) -> bool:
    return before in ".!?" and character.isspace()


def _ends_paragraph(character: str, before: str) -> bool:
    return character == before == "\n"


def _is(kind: Callable[[str], bool]) -> Callable[[Sequence[str]], Numbers]:
    return lambda characters: (float(kind(character)) for character in characters)


def _in_word(characters: Sequence[str]) -> Numbers:
    """Which letter of a word it is, from 1; 0 outside."""
    number = 0
    for character in characters:
        number = number + 1 if character.isalnum() or character in "_'’" else 0
        yield number


def _in_capitals(characters: Sequence[str]) -> Numbers:
    """Whether the last two letters are capitals, and nothing but spaces is between and after them."""
    run = 0
    for character in characters:
        run = run + 1 if character.isupper() else run if character == " " else 0
        yield float(run > 1)


def _indentation(characters: Sequence[str]) -> Numbers:
    """Columns of white space that the line began with so far."""
    width, is_begin = 0, True
    for character in characters:
        if character == "\n":
            width, is_begin = 0, True
        elif is_begin and character in " \t":
            width = width + 1 if character == " " else width // TAB * TAB + TAB
        else:
            is_begin = False
        yield width


def _brackets(characters: Sequence[str]) -> Numbers:
    """How many brackets are open; none after an empty line."""
    expected: list[str] = []
    before = ""
    for character in characters:
        if character in CLOSES:
            expected.append(CLOSES[character])
        elif expected and character == expected[-1]:
            expected.pop()
        elif character == before == "\n":
            expected.clear()
        yield len(expected)
        before = character


def _quotes(characters: Sequence[str]) -> Numbers:
    r"""Whether a quotation is open.

    It is one of '...' (to the end of its line at most), "..." (to an empty line at most), triple quotes as in Python,
    or “...”. A quotation mark after a letter or digit opens nothing, and one after \ counts for nothing.
    """
    mark, before = "", "\n"  # what closes it; nothing outside
    last = ""
    is_escaped = False
    for character in characters:
        last = (last + character)[-3:]
        if is_escaped:
            is_escaped = False
        elif character == "\\" and mark:
            is_escaped = True
        elif mark in THREE:
            mark = "" if last == mark else mark
            last = last if mark else ""
        elif last in THREE and not mark:
            mark, last = last, ""
        elif mark:
            ends = character in CLOSING if mark == "”" else character == mark
            lost = character == "\n" and (mark == "'" or before == "\n")
            mark = "" if ends or lost else mark
        elif character in OPENING:
            mark = "”"
        elif character in "\"'" and not before.isalnum():
            mark = character
        yield float(bool(mark))
        before = character


def _comment(characters: Sequence[str]) -> Numbers:
    """Whether a # with a space before and after it, or at the beginning of a line, stands before on the line."""
    is_comment, before, two = False, "\n", "\n"
    for character in characters:
        if character == "\n":
            is_comment = False
        elif character == " " and before == "#" and two.isspace():
            is_comment = True
        yield float(is_comment)
        before, two = character, before


def _tag(characters: Sequence[str]) -> Numbers:
    """Whether a < before a letter, / or ! is open, on its line."""
    is_tag, before = False, "\n"
    for character in characters:
        if character in ">\n":
            is_tag = False
        elif before == "<" and (character.isalpha() or character in "/!"):
            is_tag = True
        yield float(is_tag)
        before = character


FEATURES: dict[str, Callable[[Sequence[str]], Numbers]] = {
    "position in the line": _since(lambda character, before: character == "\n"),
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
