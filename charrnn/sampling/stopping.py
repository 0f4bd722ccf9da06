"""When a text ends before its length: texts and patterns that end it, and a pattern that all of it must match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.text.vocabulary import Vocabulary, name_of

SEARCHED = 1000
"""The last characters, in which a pattern may end a text."""
SECONDS = 5.0
"""After which a pattern that is still tried is given up."""
Found = TypeVar("Found")


class Stops:
    """What ends a text: `until` and `until_regex`.

    Args:
        config: what they are.
    """

    def __init__(self, config: SamplingConfig) -> None:
        self.texts = config.until
        self.pattern = None if config.until_regex is None else compiled("--until-regex", config.until_regex)
        if self.pattern is not None and self.pattern.search(""):
            raise UsageError(f"--until-regex {config.until_regex}: matches nothing at all; say what must be there")
        self.reach = SEARCHED if self.pattern else max(map(len, self.texts), default=0)
        """How many of the last characters are looked at."""

    def are_met(self, end: str) -> bool:
        """Whether a text ends, of which these are the last characters."""
        if end.endswith(self.texts):
            return True
        pattern = self.pattern
        return pattern is not None and _tried("--until-regex", lambda: pattern.search(end, timeout=SECONDS)) is not None


def check_until(config: SamplingConfig, vocabulary: Vocabulary) -> None:
    """Raise UsageError if none of the texts of `until` can be met: the model does not write a character of each."""
    never = [next((character for character in text if not vocabulary.writes(character)), None) for text in config.until]
    if never and never[0] is not None and None not in never and config.until_regex is None:
        raise UsageError(
            f"--until {config.until[0]!r}: is never met, because the model does not write {name_of(never[0])}; "
            "try another text, or leave the option out"
        )


class Match:
    """The pattern that a text must match, all of it.

    What cannot lead to a match is not allowed. Where the text is a match, it may end: it does if the character that is
    drawn then cannot lead on, so the model decides when.

    Args:
        pattern: a regular expression of the `regex` package.
        vocabulary: the characters that can be written.
    """

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        self.source = pattern
        # Of bytes the pattern is one of bytes, too: a character may be written one byte at a time.
        self.pattern = compiled("--match", pattern.encode() if vocabulary.is_bytes else pattern)
        self.characters: list[Any] = (
            [bytes((byte,)) for byte in range(256)] if vocabulary.is_bytes else list(vocabulary.characters or ())
        )

    def is_met(self, text: str | bytes) -> bool:
        """Whether a text is a match as it stands."""
        return _tried("--match", lambda: self.pattern.fullmatch(text, timeout=SECONDS)) is not None

    def leading_on(self, text: Any) -> NDArray[np.bool_]:
        """(V,): which characters, after a text, can lead to a match, as far as the pattern can tell."""

        def found() -> list[bool]:
            fits = self.pattern.fullmatch
            return [fits(text + one, partial=True, timeout=SECONDS) is not None for one in self.characters]

        return np.array(_tried("--match", found))

    def unmet(self, text: object) -> ModelError:
        """The line for a text that cannot become a match."""
        return ModelError(
            f"--match {self.source}: cannot be met after {text!r:.100}: no character that the model knows, and may "
            "write, leads on; change the pattern"
        )


def compiled(option: str, pattern: Any) -> Any:
    """A regular expression.

    Raises:
        UsageError: it is none.
    """
    import regex  # only who has a pattern needs it

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise UsageError(f"{option} {pattern!s:.100}: is no regular expression: {error}") from None


def _tried(option: str, search: Callable[[], Found]) -> Found:
    try:
        return search()
    except TimeoutError:
        raise ModelError(f"{option}: the pattern takes longer than {SECONDS:g} s to try; write a simpler one") from None
