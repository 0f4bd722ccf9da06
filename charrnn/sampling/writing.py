"""Texts in the making: any number of them side by side, which can be left at any place and gone on with from there.

A text depends on its own seed alone: it is the same whether it is written by itself, among others, or with a pause.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import LanguageModel, State
from charrnn.models.stepping import Tokens, stepper
from charrnn.sampling.decoding import allowed_by, make_draw
from charrnn.sampling.randomness import Uniforms
from charrnn.sampling.stopping import Match, Stops
from charrnn.text.vocabulary import Vocabulary

PIECE = 1024
"""Characters of a prime that are read at a time."""
LONGEST_CHARACTER = 4
"""Bytes, in UTF-8."""


@dataclass(frozen=True)
class Mark:
    """A place in a text, to go on from.

    Attributes:
        state: the model's, of one row, before the last character; None where there is no other.
        ids: all characters up to here, the prime's first; one at least.
        begin: where in `ids` that begins what was written.
        seed: of the text.
        position: how many random numbers it has taken.
    """

    state: State | None
    ids: tuple[int, ...]
    begin: int
    seed: int
    position: int = 0

    @classmethod
    def start(cls, vocabulary: Vocabulary, seed: int) -> Mark:
        """Before a text: it begins as after a line end."""
        return cls(None, (vocabulary.start,), 1, seed)

    def with_seed(self, seed: int) -> Mark:
        """The same place, with other random numbers from here on."""
        return replace(self, seed=seed, position=0)


def read_on(model: LanguageModel, mark: Mark, ids: Sequence[int], is_written: bool = False) -> Mark:
    """The place after more characters.

    Args:
        model: any language model; a network must be in evaluation mode.
        mark: where the text is.
        ids: what comes then.
        is_written: whether that counts as written, and not as a prime.
    """
    if not len(ids):
        return mark
    is_start = mark.state is None and len(mark.ids) == mark.begin == 1 and not is_written
    before = () if is_start else mark.ids
    read = (*before[-1:], *ids)
    state = mark.state
    with torch.inference_mode():
        for begin in range(0, len(read) - 1, PIECE):
            _, state = model(torch.tensor([read[begin : min(begin + PIECE, len(read) - 1)]]), state)
    after = (*before, *ids)
    return replace(mark, state=state, ids=after, begin=mark.begin if is_written else len(after))


class Text:
    """One text that is being written; a Context for its draw.

    Args:
        vocabulary: its characters.
        config: when it ends.
        mark: where it begins.
        stops: what ends it.
        match: what it must match.
        allowed: (V,) the characters that may be written at all.

    Attributes:
        allowed: those that may come next, if not all of them.
        is_over: whether it has ended.
        is_rejected: whether the last character that was drawn is not part of it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        mark: Mark,
        stops: Stops,
        match: Match | None,
        allowed: NDArray[np.bool_],
    ) -> None:
        self.vocabulary, self.mark, self.stops, self.match = vocabulary, mark, stops, match
        self.ids, self.left = list(mark.ids), config.length
        self._leads, self._may_write = np.ones(0, bool), allowed
        self._end = self._read_end()
        self.allowed: NDArray[np.bool_] | None = None
        self.is_over = self.is_rejected = False
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


class Writing:
    """Texts that are written side by side.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        config: how to draw, and when a text ends; its seed is not looked at.
        marks: where each text begins.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, config: SamplingConfig, marks: Sequence[Mark]
    ) -> None:
        self.model, self.vocabulary, self.config = model, vocabulary, config
        stops, allowed = Stops(config), allowed_by(config, vocabulary)
        match = None if config.match is None else Match(config.match, vocabulary)
        self.texts = [Text(vocabulary, config, mark, stops, match, allowed) for mark in marks]
        self._marks = list(marks)
        self._tokens: Tokens = np.zeros(0, np.int64)
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether all texts have ended."""
        return not self._rows

    def step(self) -> list[tuple[int, str]]:
        """Go on by a character of each text that has not ended.

        Returns:
            The number of each of them, and what the character completed.
        """
        drawn = self._stepper.draw_next(self._tokens, self._draw)
        self._tokens = drawn
        pieces = [(row, self.texts[row].add(token)) for row, token in zip(self._rows, drawn.tolist(), strict=True)]
        if any(text.is_over for text in self._contexts):
            self._keep_marks()
            self._begin()
        return pieces

    @property
    def marks(self) -> list[Mark]:
        """Where each text is."""
        self._keep_marks()
        return list(self._marks)

    def _begin(self) -> None:
        """Make ready those that have not ended."""
        self._rows = [row for row, text in enumerate(self.texts) if not text.is_over]
        self._contexts = [self.texts[row] for row in self._rows]
        marks = [self._marks[row] for row in self._rows]
        if not marks:
            return
        self._random = Uniforms([mark.seed for mark in marks], [mark.position for mark in marks])
        self._draw = make_draw(self.config, self._random, self.vocabulary, self._contexts)
        self._stepper = stepper(self.model, joined([mark.state for mark in marks]), len(marks))
        self._tokens = np.array([mark.ids[-1] for mark in marks])

    def _keep_marks(self) -> None:
        """Write down where the texts are that had not ended before the last step."""
        state = self._stepper.state if self._rows else None
        for i, row in enumerate(self._rows):
            text = self.texts[row]
            mark = replace(text.mark, ids=tuple(text.ids), position=self._random.positions[i])
            if text.is_rejected:  # the state is already after its last character
                mark = replace(read_on(self.model, Mark.start(self.vocabulary, mark.seed), mark.ids), begin=mark.begin)
                mark = replace(mark, position=self._random.positions[i])
            elif state is not None:
                mark = replace(mark, state=tuple(part[i : i + 1].clone() for part in state))
            self._marks[row] = mark


def joined(states: Sequence[State | None]) -> State | None:
    """The states of several texts as one of a batch; none, if they have none."""
    found = [state for state in states if state is not None]
    if not found:
        return None
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))
