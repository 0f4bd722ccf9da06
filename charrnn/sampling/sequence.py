"""One text that is being written: what it is so far, what may come next, and when it ends."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.sampling.state import Mark, document_begin, ends_document
from charrnn.sampling.stopping import Match, Stops
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

LONGEST_CHARACTER = 4
"""Bytes, in UTF-8."""


class Text:
    """One text that is being written; a Context for its draw.

    Args:
        vocabulary: its characters.
        config: when it ends.
        mark: where it begins.
        documents: what tells documents apart, if the model has read each from the beginning.
        stops: what ends it.
        match: what it must match.
        allowed: (V,) the characters that may be written at all.

    Attributes:
        allowed: those that may come next, if not all of them.
        is_over: whether it has ended.
        is_rejected: whether the last character that was drawn is not part of it.
        is_new: whether a document has just ended, so that the next one begins.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        mark: Mark,
        documents: Documents | None,
        stops: Stops,
        match: Match | None,
        allowed: NDArray[np.bool_],
    ) -> None:
        self.vocabulary, self.mark, self.stops, self.match = vocabulary, mark, stops, match
        self.documents = documents
        self.ids, self.left = list(mark.ids), config.length
        self._leads, self._may_write = np.ones(0, bool), allowed
        self._end = self._read_end()
        self._document = document_begin(documents, mark.ids) if documents else 0
        self._is_plain = not (match or stops.reach or documents)
        self.allowed: NDArray[np.bool_] | None = None
        self.is_over = self.is_rejected = self.is_new = False
        if match:
            self._look_ahead(match)
        if not self.left:
            self.is_over = True

    @property
    def written(self) -> str:
        """All that was written."""
        return self.vocabulary.decode(self.ids[self.mark.begin :])

    def recent(self, count: int) -> Sequence[int]:
        """See Context."""
        return self.ids[-count:]

    @property
    def ending(self) -> NDArray[np.bool_] | None:
        """(V,) the characters that end a text which is a match, instead of coming next; None if it is none."""
        return ~self._leads if self.match and self.allowed is None else None

    def copy(self) -> Text:
        """The same text, to go on from in another way."""
        other = copy.copy(self)
        other.ids = self.ids.copy()
        other._read_end()
        return other

    def add(self, token: int) -> str:
        """Go on by a character.

        Returns:
            what it completes: nothing, if the text has ended before it, or if it is a byte of a character.

        Raises:
            ModelError: the text cannot become what it must match.
        """
        if self.match and not self._leads[token]:
            self.is_over = self.is_rejected = True
            return ""
        self.ids.append(token)
        self.left -= 1
        if self._is_plain:
            self.is_over = not self.left
            return self.decode(token)
        if self.documents:
            self.is_new = ends_document(self.documents, self.ids, self._document)
            self._document = len(self.ids) if self.is_new else self._document
        piece = self.decode(token)
        if self.stops.reach:
            self._end = (self._end + piece)[-self.stops.reach :]
            self.is_over = bool(piece) and self.stops.are_met(self._end)
        if self.match and not self.is_over:
            self._look_ahead(self.match)
        if not self.left:
            self.is_over = True
        if self.match and self.is_over and not self.match.is_met(self._matched):
            raise ModelError(
                f"--match {self.match.source}: is not met yet after {len(self.ids) - self.mark.begin:,} characters; "
                "say a larger --length, or another pattern"
            )
        return piece

    def _read_end(self) -> str:
        """Make a decoder that has read the last characters; what they are."""
        self.decode = self.vocabulary.decoder()
        written = self.ids[self.mark.begin :]
        return "".join(map(self.decode, written[-max(self.stops.reach, LONGEST_CHARACTER) :]))

    @property
    def _matched(self) -> str | bytes:
        written = self.ids[self.mark.begin :]
        return bytes(written) if self.vocabulary.is_bytes else self.vocabulary.decode(written)

    def _look_ahead(self, match: Match) -> None:
        """Find which characters may come next."""
        text = self._matched
        self._leads = match.leading_on(text)
        can_lead = bool((self._leads & self._may_write).any())
        if match.is_met(text):
            self.allowed = None
            self.is_over = not can_lead
        elif can_lead:
            self.allowed = self._leads
        else:
            raise match.unmet(text)
