"""When a text ends before its length: texts and patterns that end it, and a pattern that all of it must match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.text.vocabulary import Vocabulary, character_name

SEARCHED_CHARS = 1000
"""The number of last characters in which a pattern that ends a text is searched."""
MAX_SECONDS = 5.0
"""The time limit for trying a pattern."""
Result = TypeVar("Result")


class StopCondition:
    """The texts (`until`) and the pattern (`until_regex`) that end a text before its length."""

    def __init__(self, config: SamplingConfig) -> None:
        self.texts = config.until
        self.pattern = None if config.until_regex is None else compiled("--until-regex", config.until_regex)
        if self.pattern is not None and self.pattern.search(""):
            raise UsageError(f"--until-regex {config.until_regex}: matches nothing at all; say what must be there")
        self.reach = SEARCHED_CHARS if self.pattern else max(map(len, self.texts), default=0)
        """The number of last characters that are searched."""

    def matches(self, end: str) -> bool:
        """Whether a text with these last characters ends."""
        if end.endswith(self.texts):
            return True
        pattern = self.pattern
        if pattern is None:
            return False
        return _limited("--until-regex", lambda: pattern.search(end, timeout=MAX_SECONDS)) is not None


def check_until(config: SamplingConfig, vocabulary: Vocabulary) -> None:
    """Raise UsageError if no text of `until` can occur: the model does not generate some character of each."""
    firsts = (
        next((character for character in text if not vocabulary.can_generate(character)), None) for text in config.until
    )
    never_written = [character for character in firsts if character is not None]
    if never_written and len(never_written) == len(config.until) and config.until_regex is None:
        raise UsageError(
            f"--until {config.until[0]!r}: is never met, because the model does not write "
            f"{character_name(never_written[0])}; try another text, or leave the option out"
        )


class RegexConstraint:
    """The pattern, of the `regex` package, that a whole text must match.

    A character that cannot lead to a match is not allowed. A text that matches may end: it does if the next character
    that is drawn cannot lead to a longer match, so the model decides when.
    """

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        self.source = pattern
        # Of bytes the pattern is one of bytes, too: a character may be written one byte at a time.
        self.pattern = compiled("--match", pattern.encode() if vocabulary.is_bytes else pattern)
        self.characters: list[Any] = (
            [bytes((byte,)) for byte in range(256)] if vocabulary.is_bytes else list(vocabulary.characters or ())
        )

    def matches(self, text: str | bytes) -> bool:
        """Whether a text matches as it is."""
        return _limited("--match", lambda: self.pattern.fullmatch(text, timeout=MAX_SECONDS)) is not None

    def allowed_next(self, text: Any) -> NDArray[np.bool_]:
        """(V,) the characters that, after a text, can lead to a match, as far as the pattern can tell."""

        def can_lead_on() -> list[bool]:
            match = self.pattern.fullmatch
            return [match(text + added, partial=True, timeout=MAX_SECONDS) is not None for added in self.characters]

        return np.array(_limited("--match", can_lead_on))

    def dead_end(self, text: object) -> ModelError:
        """The error for a text that cannot become a match."""
        return ModelError(
            f"--match {self.source}: cannot be met after {text!r:.100}: no character that the model knows, and may "
            "write, leads on; change the pattern"
        )


def compiled(option: str, pattern: Any) -> Any:
    """A compiled regular expression; raises UsageError if it is not one."""
    import regex  # only who has a pattern needs it

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise UsageError(f"{option} {pattern!s:.100}: is no regular expression: {error}") from None


def _limited(option: str, search: Callable[[], Result]) -> Result:
    try:
        return search()
    except TimeoutError:
        message = f"{option}: the pattern takes longer than {MAX_SECONDS:g} s to try; write a simpler one"
        raise ModelError(message) from None
