"""What opens and closes in a text: brackets, quotes and tags, with how far apart they are. Knows texts, not models.

A rule of thumb, not a parser: what it takes for a pair nearly always is one, in code and in prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE_CHARACTERS = "=(){}[]_"
CODE_SHARE = 0.02
"""The least share of such characters in a text that is code: Python's library has 5%, Shakespeare none."""
MAX_DISTANCE = 4095
"""The longest distance of a pair, in characters; what is further apart mostly does not belong together."""
GROUPS = {
    "()": "brackets", "[]": "brackets", "{}": "brackets", '""': "quotes", "''": "quotes", "“”": "quotes",
    '"""': "quotes", "'''": "quotes", "<>": "tags",
}  # fmt: skip
"""The kinds, and what each belongs to."""
BRACKETS = ("()", "[]", "{}")
ENDS = {kind[1]: kind for kind in (*BRACKETS, "“”")}
ANY_BRACKET = re.compile("[" + re.escape("".join(ENDS.values())) + "]")
TRIPLE = re.compile('"""|' + "'''")
CODE_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|' + r"(?<!\w)[bBfFrRuU]{0,2}'(?:[^'\\\n]|\\.)*'(?!\w)")
"""On one line. Single quotes must stand apart from words: apostrophes do not."""
PROSE_QUOTE = re.compile(r'"(?:[^"\n]|\n(?!\n))*"')
"""Within a paragraph."""
TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)((?:\s[^<>]*)?/?)>")


@dataclass(frozen=True, order=True)
class Closing:
    """The end of a pair.

    Attributes:
        place: of the character that closes, counted from 0; of a tag, of its name, after the `</`.
        length: how many characters close: 1, but of a tag its name and the `>`. Of three quotes the first one counts.
        kind: one of GROUPS.
        distance: characters from the one that opens (of a tag, its `>`) to the one that closes (of a tag, its `<`); 1
            if nothing stands between.
    """

    place: int
    length: int
    kind: str
    distance: int


def find_closings(text: str) -> list[Closing]:
    """All closing brackets, quotes and tags of a text, in order, but for those that nothing opens.

    In code a bracket in a string is a character like any other, and single quotes are quotes; in prose, where they are
    apostrophes, they are not.
    """
    is_code = looks_like_code(text)
    quotes = list(_quotes(TRIPLE.sub("\n\n\n", text), CODE_STRING if is_code else PROSE_QUOTE))
    closings = [*_triples(text), *quotes, *_brackets(text, quotes if is_code else []), *_tags(text)]
    return sorted(closing for closing in closings if closing.distance <= MAX_DISTANCE)


def looks_like_code(text: str) -> bool:
    """Whether a text has as many brackets, equals signs and underscores as code has."""
    return sum(map(text.count, CODE_CHARACTERS)) > CODE_SHARE * len(text)


def _triples(text: str) -> Iterator[Closing]:
    """Strings between three quotes, as Python's."""
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
    """Brackets that stand in none of the strings. Each kind is matched by itself, for prose leaves some open."""
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
    """Tags with a name, such as <b>…</b>. One that nothing closes (<br>) is forgotten when the one around it closes."""
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
