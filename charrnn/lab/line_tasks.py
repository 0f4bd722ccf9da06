"""Synthetic tasks of lines: a source, and a target that depends on the whole source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Line = tuple[str, str]
"""A source and its target."""
Random = np.random.Generator

ONES = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"

NOUNS = {
    "dog": "kan", "cat": "mus", "king": "rek", "bird": "avo", "child": "pel", "house": "dom", "tree": "arb",
    "ship": "nav",
}  # fmt: skip
ADJECTIVES = {"small": "min", "large": "mag", "old": "vet", "red": "rub"}
VERBS = {"see": "vid", "watch": "vid", "find": "trov", "follow": "sek", "call": "vok"}
"""English words and the stems of their translations; "see" and "watch" have the same translation."""
PARTICIPLES = {"see": "seen", "watch": "watched", "find": "found", "follow": "followed", "call": "called"}
IRREGULAR = {"child": "children"}
THIRD_PERSON = {"watch": "watches"}


@dataclass(frozen=True)
class LineTask:
    """A task.

    Attributes:
        description: what the target is.
        draw: function (generator, size) → (source, target).
        sizes: the largest size; a larger size means a longer source.
        width: width in characters of the ranges of source lengths for which the accuracy is given.
    """

    description: str
    draw: Callable[[Random, int], Line]
    sizes: int
    width: int


def draw_number(rng: Random, size: int) -> Line:
    """A number of `size` digits in words, and in digits."""
    number = int(rng.integers(10 ** (size - 1), 10**size))
    return number_in_words(number), str(number)


def number_in_words(number: int) -> str:
    """Write a number below a billion in English words."""
    words = []
    for unit, name in ((10**6, "million"), (10**3, "thousand"), (1, "")):
        group = number // unit % 1000
        hundreds, rest = divmod(group, 100)
        words += [ONES[hundreds], "hundred"] * bool(hundreds)
        words += [TENS[rest // 10], ONES[rest % 10]] if rest >= len(ONES) else [ONES[rest]]
        words += [name] * bool(group)
    return " ".join(word for word in words if word)


def draw_date(rng: Random, size: int) -> Line:
    """A date in one of four formats, and in ISO 8601."""
    year, month, day = int(rng.integers(1600, 2100)), int(rng.integers(12)), int(rng.integers(1, 29))
    name, ordinal = MONTHS[month], f"{day}{_ending(day)}"
    formats = (
        f"{day} {name} {year}",
        f"{name} {day}, {year}",
        f"the {ordinal} of {name}, {year}",
        f"in the year {year}, on the {ordinal} of {name}",
    )
    return formats[int(rng.integers(len(formats)))], f"{year}-{month + 1:02}-{day:02}"


def _ending(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def draw_words(rng: Random, size: int) -> Line:
    """`size` random words of 2 to 5 letters, and the same characters in reverse order."""
    words = ("".join(LETTERS[i] for i in rng.integers(0, 26, rng.integers(2, 6))) for _ in range(size))
    source = " ".join(words)
    return source, source[::-1]


@dataclass(frozen=True)
class Noun:
    """A noun phrase: whether it is definite, an adjective or none, a noun, and whether it is plural."""

    definite: bool
    adjective: str
    noun: str
    plural: bool

    @property
    def english(self) -> str:
        """The phrase in English."""
        word = IRREGULAR.get(self.noun, f"{self.noun}s") if self.plural else self.noun
        words = [word for word in (self.adjective, word) if word]
        article = "the" if self.definite else "some" if self.plural else "an" if words[0][0] in "aeo" else "a"
        return " ".join([article, *words])

    def translated(self, case: str) -> str:
        """The phrase in the other language; adjectives follow the noun, and have its number and case."""
        ending = "i" * self.plural + case
        stems = [NOUNS[self.noun], ADJECTIVES.get(self.adjective, "")]
        return " ".join(["sa"] * self.definite + [stem + ending for stem in stems if stem])


@dataclass(frozen=True)
class Clause:
    """A subject, a verb and an object, in the active or the passive voice."""

    subject: Noun
    verb: str
    object: Noun
    passive: bool

    @property
    def english(self) -> str:
        """The clause in English: subject, verb, object, or in the passive voice object, verb, subject."""
        if self.passive:
            be = "are" if self.object.plural else "is"
            return f"{self.object.english} {be} {PARTICIPLES[self.verb]} by {self.subject.english}"
        verb = self.verb if self.subject.plural else THIRD_PERSON.get(self.verb, f"{self.verb}s")
        return f"{self.subject.english} {verb} {self.object.english}"

    @property
    def translated(self) -> str:
        """The clause in the other language: subject, object with the ending -m, verb with the number of the subject."""
        verb = VERBS[self.verb] + ("un" if self.subject.plural else "a")
        return f"{self.subject.translated('')} {self.object.translated('m')} {verb}"


def draw_clause(rng: Random, has_adjectives: bool) -> Clause:
    """Draw a clause, with or without adjectives."""

    def noun() -> Noun:
        adjective = [*ADJECTIVES][int(rng.integers(len(ADJECTIVES)))] if has_adjectives else ""
        return Noun(bool(rng.integers(2)), adjective, [*NOUNS][int(rng.integers(len(NOUNS)))], bool(rng.integers(2)))

    return Clause(noun(), [*VERBS][int(rng.integers(len(VERBS)))], noun(), bool(rng.integers(2)))


def draw_sentence(rng: Random, size: int) -> Line:
    """Clauses of a small English, and their translation, in which the verb is last.

    A clause without adjectives for size 1, with adjectives for 2, and so on for two clauses and more.
    """
    clauses = [draw_clause(rng, has_adjectives=size % 2 == 0) for _ in range((size + 1) // 2)]
    return " and ".join(c.english for c in clauses), " ke ".join(c.translated for c in clauses)


TASKS = {
    "numbers": LineTask("a number in words → in digits", draw_number, 9, 10),
    "dates": LineTask("a date → year-month-day", draw_date, 1, 5),
    "backwards": LineTask("words → the characters backwards", draw_words, 8, 5),
    "translation": LineTask("a sentence → subject, object, verb", draw_sentence, 4, 10),
}
"""The tasks by name."""

MEANINGS = (("dog", "cat"), ("cat", "dog"), ("dog", "king"), ("king", "dog"))
"""Subjects and objects of the sentences whose states are compared."""


def same_meanings() -> list[Line]:
    """Return sentences that differ in meaning or in words only: sources, and translations that are equal for equal
    meanings.
    """
    clauses = [
        Clause(Noun(True, "", subject, False), verb, Noun(True, "", other, False), passive)
        for subject, other in MEANINGS
        for verb in ("see", "watch")
        for passive in (False, True)
    ]
    return [(clause.english, clause.translated) for clause in clauses]
