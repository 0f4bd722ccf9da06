"""Features of each position in a text that a unit of a network might track: position in the line, bracket depth, ...

Each feature depends only on the characters up to its position, as a network's state does. The rules are simple and the
same for prose and code, so they make mistakes: an apostrophe before a word may open a quotation until the line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

CLOSES = {"(": ")", "[": "]", "{": "}"}
TAB = 8
"""Width of a tab in an indentation, in columns."""
THREE = ('"""', "'''")
OPENING, CLOSING = "“„«", "”»"

Numbers = Iterator[float]


def compute_features(characters: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Compute all features, (N,) each, by name, from the N characters of a text."""
    return {name: np.fromiter(of(characters), np.float64) for name, of in FEATURES.items()}


def _since(is_end: Callable[[str, str], bool]) -> Callable[[Sequence[str]], Numbers]:
    """Return a function that counts the characters since an end, which `is_end(character, before)` detects."""

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
    """Yield the position in the word, from 1; 0 outside words."""
    number = 0
    for character in characters:
        number = number + 1 if character.isalnum() or character in "_'’" else 0
        yield number


def _in_capitals(characters: Sequence[str]) -> Numbers:
    """Yield whether the last two characters, ignoring spaces, are capital letters."""
    run = 0
    for character in characters:
        run = run + 1 if character.isupper() else run if character == " " else 0
        yield float(run > 1)


def _indentation(characters: Sequence[str]) -> Numbers:
    """Yield the width of the white space at the beginning of the line, in columns."""
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
    """Yield the number of open brackets; an empty line closes all of them."""
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
    r"""Yield whether a quotation is open.

    Quotations are '...' (ending at the line end at the latest), "..." (ending at an empty line at the latest), Python's
    triple quotes, and “...”. A quotation mark after a letter or digit opens nothing, and one after \ is ignored.
    """
    mark, before = "", "\n"  # mark: what closes the open quotation
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
    """Yield whether the line has a comment so far: a # after a space or at the line start, followed by a space."""
    is_comment, before, before_that = False, "\n", "\n"
    for character in characters:
        if character == "\n":
            is_comment = False
        elif character == " " and before == "#" and before_that.isspace():
            is_comment = True
        yield float(is_comment)
        before, before_that = character, before


def _tag(characters: Sequence[str]) -> Numbers:
    """Yield whether a tag is open on the line: a < followed by a letter, / or !, without a > so far."""
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
    "bracket depth": _brackets,
    "indentation of the line": _indentation,
    "position in the word": _in_word,
    "inside a word": _is(str.isalnum),
    "position in the sentence": _since(_ends_sentence),
    "position in the paragraph": _since(_ends_paragraph),
    "upper case letter": _is(str.isupper),
    "text in capitals": _in_capitals,
    "digit": _is(str.isdigit),
    "inside a comment": _comment,
    "inside a tag": _tag,
}
"""The functions that compute each feature, by name."""
