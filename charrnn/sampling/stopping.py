"""Stop conditions: strings and patterns that end a text before its maximum length, and a pattern for the whole text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.text.vocabulary import Vocabulary, character_name

SEARCHED_CHARS = 1000
"""The number of last characters in which a stop pattern is searched."""
MAX_SECONDS = 5.0
"""The time limit for matching a pattern, in seconds."""
Result = TypeVar("Result")
"""The result type of a search with a time limit."""


class StopCondition:
    """The strings (`until`) and the pattern (`until_regex`) that end a text before its maximum length."""

    def __init__(self, config: SamplingConfig) -> None:
        self.texts = config.until
        self.pattern = None if config.until_regex is None else compile_pattern("--until-regex", config.until_regex)
        if self.pattern is not None and self.pattern.search(""):
            raise UsageError(
                f"--until-regex {config.until_regex}: matches the empty string; use a pattern that does not"
            )
        self.reach = SEARCHED_CHARS if self.pattern else max(map(len, self.texts), default=0)
        """The number of last characters to search."""

    def matches(self, end: str) -> bool:
        """Return whether a text with these last characters ends."""
        if end.endswith(self.texts):
            return True
        pattern = self.pattern
        if pattern is None:
            return False
        return _limited("--until-regex", lambda: pattern.search(end, timeout=MAX_SECONDS)) is not None


def check_until(config: SamplingConfig, vocabulary: Vocabulary) -> None:
    """Raise UsageError if no string of `until` can occur, because the model cannot generate some character of each."""
    firsts = (
        next((character for character in text if not vocabulary.can_generate(character)), None) for text in config.until
    )
    impossible = [character for character in firsts if character is not None]
    if impossible and len(impossible) == len(config.until) and config.until_regex is None:
        raise UsageError(
            f"--until {config.until[0]!r}: the model cannot generate {character_name(impossible[0])}; "
            "use another text, or remove the option"
        )


class RegexConstraint:
    """A regular expression (of the `regex` package) that the whole text must match.

    Characters that cannot lead to a match are not allowed. A text that matches ends when the next character drawn
    cannot extend the match, so the model decides when to end.
    """

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        self.source = pattern
        # With a byte vocabulary, the pattern is bytes too, because characters are generated one byte at a time.
        self.pattern = compile_pattern("--match", pattern.encode() if vocabulary.is_bytes else pattern)
        self.characters: list[Any] = (
            [bytes((byte,)) for byte in range(256)] if vocabulary.is_bytes else list(vocabulary.characters or ())
        )

    def matches(self, text: str | bytes) -> bool:
        """Return whether a text matches as it is."""
        return _limited("--match", lambda: self.pattern.fullmatch(text, timeout=MAX_SECONDS)) is not None

    def allowed_next(self, text: Any) -> NDArray[np.bool_]:
        """Return the characters (V,) that can lead to a match after a text, as far as the pattern can tell."""

        def can_lead_on() -> list[bool]:
            match = self.pattern.fullmatch
            return [match(text + added, partial=True, timeout=MAX_SECONDS) is not None for added in self.characters]

        return np.array(_limited("--match", can_lead_on))

    def dead_end_error(self, text: object) -> ModelError:
        """Return the error for a text that cannot become a match."""
        return ModelError(
            f"--match {self.source}: cannot be matched after {text!r:.100}, because no character that the model can "
            "generate continues it; change the pattern"
        )


def compile_pattern(option: str, pattern: Any) -> Any:
    """Compile a regular expression; raise UsageError if it is invalid."""
    import regex  # only imported when a pattern is used

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise UsageError(f"{option} {pattern!s:.100}: invalid regular expression: {error}") from None


def _limited(option: str, search: Callable[[], Result]) -> Result:
    try:
        return search()
    except TimeoutError:
        message = f"{option}: matching the pattern takes longer than {MAX_SECONDS:g} s; use a simpler one"
        raise ModelError(message) from None
