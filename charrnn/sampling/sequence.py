"""One text during generation: its characters so far, the characters allowed next, and when it ends."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.sampling.filters import allowed_characters
from charrnn.sampling.state import GenerationState, document_begin, ends_document
from charrnn.sampling.stopping import RegexConstraint, StopCondition
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

MAX_UTF8_BYTES = 4
"""The length of the longest character in UTF-8, in bytes."""


class SequenceRules:
    """The rules shared by all texts of one run: maximum length, stop conditions, and the pattern to match.

    Raises:
        UsageError: the settings are invalid, or do not fit the vocabulary.
    """

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary, documents: Documents | None = None) -> None:
        self.config, self.vocabulary, self.documents = config, vocabulary, documents
        self.stop = StopCondition(config)
        self.allowed = allowed_characters(config, vocabulary)
        self.regex = None if config.match is None else RegexConstraint(config.match, vocabulary)


class GeneratedSequence:
    """One text during generation, continued from a state; a Context for the sampler.

    Attributes:
        allowed: the characters that may come next, (V,); None for all.
        finished: whether the text has ended.
        dropped_last: whether the last character drawn is not part of the text.
        at_document_start: whether a document has just ended, so that the next one starts.
        remaining: the number of characters until the maximum length.
    """

    def __init__(self, rules: SequenceRules, begin: GenerationState) -> None:
        self.rules, self.begin = rules, begin
        self.ids, self.remaining = list(begin.ids), rules.config.length
        self._leads = np.ones(0, bool)
        self._end = self._read_end()
        self._document = document_begin(rules.documents, begin.ids) if rules.documents else 0
        self._is_plain = not (rules.regex or rules.stop.reach or rules.documents)
        self.allowed: NDArray[np.bool_] | None = None
        self.finished = self.dropped_last = self.at_document_start = False
        if rules.regex:
            self._look_ahead(rules.regex)
        self.finished |= not self.remaining

    @property
    def text(self) -> str:
        """The generated text."""
        return self.rules.vocabulary.decode(self._generated)

    def recent(self, count: int) -> Sequence[int]:
        return self.ids[-count:]

    @property
    def ending(self) -> NDArray[np.bool_] | None:
        """The characters (V,) that would end the text, because it matches already; None if it does not match."""
        return ~self._leads if self.rules.regex and self.allowed is None else None

    def copy(self) -> GeneratedSequence:
        """Return a copy of the text, to be continued differently."""
        other = copy.copy(self)
        other.ids = self.ids.copy()
        other._read_end()
        return other

    def add(self, token: int) -> str:
        """Append a character.

        Returns:
            The text it completes: empty if the text ends before this character, or after one byte of several.

        Raises:
            ModelError: the text can no longer match the pattern.
        """
        rules = self.rules
        if rules.regex and not self._leads[token]:
            self.finished = self.dropped_last = True
            return ""
        self.ids.append(token)
        self.remaining -= 1
        if self._is_plain:
            self.finished = not self.remaining
            return self.decode(token)
        if rules.documents:
            self.at_document_start = ends_document(rules.documents, self.ids, self._document)
            self._document = len(self.ids) if self.at_document_start else self._document
        piece = self.decode(token)
        if rules.stop.reach:
            self._end = (self._end + piece)[-rules.stop.reach :]
            self.finished = bool(piece) and rules.stop.matches(self._end)
        if rules.regex and not self.finished:
            self._look_ahead(rules.regex)
        self.finished |= not self.remaining
        if rules.regex and self.finished and not rules.regex.matches(self._matched):
            raise ModelError(
                f"--match {rules.regex.source}: not matched after {len(self._generated):,} characters; "
                "use a larger --length or another pattern"
            )
        return piece

    @property
    def _generated(self) -> list[int]:
        return self.ids[self.begin.prompt_length :]

    def _read_end(self) -> str:
        """Create a decoder that has read the last characters, and return these characters."""
        self.decode = self.rules.vocabulary.decoder()
        return "".join(map(self.decode, self._generated[-max(self.rules.stop.reach, MAX_UTF8_BYTES) :]))

    @property
    def _matched(self) -> str | bytes:
        return bytes(self._generated) if self.rules.vocabulary.is_bytes else self.text

    def _look_ahead(self, regex: RegexConstraint) -> None:
        """Determine the characters that may come next."""
        text = self._matched
        self._leads = regex.allowed_next(text)
        can_lead = bool((self._leads & self.rules.allowed).any())
        if regex.matches(text):
            self.allowed = None
            self.finished = not can_lead
        elif can_lead:
            self.allowed = self._leads
        else:
            raise regex.dead_end_error(text)
