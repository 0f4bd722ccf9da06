"""Find pairs of brackets, quotes and tags in a text, and their distances. Independent of models.

These are heuristics, not a parser: nearly all pairs found are real ones, in code and in prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE_CHARACTERS = "=(){}[]_"
CODE_SHARE = 0.02
"""Minimum share of CODE_CHARACTERS in code: Python's standard library has 5%, Shakespeare none."""
MAX_DISTANCE = 4095
"""Maximum distance of a pair, in characters; most pairs further apart are mismatches."""
GROUPS = {
    "()": "brackets", "[]": "brackets", "{}": "brackets", '""': "quotes", "''": "quotes", "“”": "quotes",
    '"""': "quotes", "'''": "quotes", "<>": "tags",
}  # fmt: skip
"""The kinds of pairs, and the group of each."""
BRACKETS = ("()", "[]", "{}")
ENDS = {kind[1]: kind for kind in (*BRACKETS, "“”")}
ANY_BRACKET = re.compile("[" + re.escape("".join(ENDS.values())) + "]")
TRIPLE = re.compile('"""|' + "'''")
CODE_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|' + r"(?<!\w)[bBfFrRuU]{0,2}'(?:[^'\\\n]|\\.)*'(?!\w)")
"""A string on one line; single quotes next to a word are apostrophes."""
PROSE_QUOTE = re.compile(r'"(?:[^"\n]|\n(?!\n))*"')
"""A quotation within one paragraph."""
TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)((?:\s[^<>]*)?/?)>")


@dataclass(frozen=True, order=True)
class Closing:
    """The closing end of a pair.

    Attributes:
        place: position of the closing character, counted from 0; for a tag, of the name after `</`.
        length: number of closing characters: 1 (the first of triple quotes), or a tag's name and its `>`.
        kind: the kind of pair, a key of GROUPS.
        distance: characters from the opening character (a tag's `>`) to the closing one (a tag's `<`); 1 if they are
            adjacent.
    """

    place: int
    length: int
    kind: str
    distance: int


def find_closings(text: str) -> list[Closing]:
    """Find all closing brackets, quotes and tags of a text that have an opening counterpart, in order.

    In code, brackets inside strings are ignored, and single quotes delimit strings. In prose, single quotes are
    apostrophes.
    """
    is_code = looks_like_code(text)
    quotes = list(_quotes(TRIPLE.sub("\n\n\n", text), CODE_STRING if is_code else PROSE_QUOTE))
    closings = [*_triples(text), *quotes, *_brackets(text, quotes if is_code else []), *_tags(text)]
    return sorted(closing for closing in closings if closing.distance <= MAX_DISTANCE)


def looks_like_code(text: str) -> bool:
    """Return whether a text has as many brackets, equals signs and underscores as code has."""
    return sum(map(text.count, CODE_CHARACTERS)) > CODE_SHARE * len(text)


def _triples(text: str) -> Iterator[Closing]:
    """Find triple-quoted strings, as in Python."""
    opened: tuple[str, int] | None = None
    for match in TRIPLE.finditer(text):
        if opened is None:
            opened = match[0], match.end() - 1
        elif match[0] == opened[0]:
            yield Closing(match.start(), 1, match[0], match.start() - opened[1])
            opened = None


def _quotes(text: str, pattern: re.Pattern[str]) -> Iterator[Closing]:
    for match in pattern.finditer(text):
        quote = match[0][-1]
        yield Closing(match.end() - 1, 1, 2 * quote, len(match[0]) - 1 - match[0].index(quote))


def _brackets(text: str, strings: list[Closing]) -> Iterator[Closing]:
    """Find pairs of brackets outside strings. Each kind is matched independently, because prose leaves some open."""
    opened: dict[str, list[int]] = {kind: [] for kind in ENDS.values()}
    ends = iter([*((closing.place - closing.distance, closing.place) for closing in strings), (len(text), len(text))])
    begin, end = next(ends)
    for match in ANY_BRACKET.finditer(text):
        place = match.start()
        while place > end:
            begin, end = next(ends)
        if begin < place < end:
            continue
        kind = ENDS.get(match[0])
        if kind is None:
            opened[next(pair for pair in opened if pair[0] == match[0])].append(place)
        elif opened[kind]:
            yield Closing(place, 1, kind, place - opened[kind].pop())


def _tags(text: str) -> Iterator[Closing]:
    """Find pairs of tags, such as <b>…</b>. An unclosed tag (<br>) is dropped when the tag around it closes."""
    opened: list[tuple[str, int]] = []
    for match in TAG.finditer(text):
        slash, name, rest = match.groups()
        if not slash:
            if not rest.endswith("/"):
                opened.append((name, match.end() - 1))
        elif any(tag == name for tag, _ in opened):
            while opened[-1][0] != name:
                opened.pop()
            yield Closing(match.start(2), len(name) + 1, "<>", match.start() - opened.pop()[1])
