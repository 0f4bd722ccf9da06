"""Texts that are written side by side, and can be left at any place and gone on with from there.

A text depends on its own seed alone: it is the same whether it is written by itself, among others, or with a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.models.stepper import Draw, Stepper, Tokens
from charrnn.models.steppers import stepper
from charrnn.sampling.rng import Uniforms
from charrnn.sampling.sampler import allowed_by, make_draw
from charrnn.sampling.sequence import Text
from charrnn.sampling.state import Mark, joined, read_again
from charrnn.sampling.stopping import Match, Stops
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


@dataclass
class _Group:
    """Texts that take their steps together: all have a state, or none."""

    rows: list[int]
    stepper: Stepper
    draw: Draw
    random: Uniforms
    tokens: Tokens


class Writing:
    """Texts that are written side by side.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        config: how to draw, and when a text ends; its seed is not looked at.
        marks: where each text begins.
        documents: what tells documents apart, if the model has read each from the beginning: so it writes them.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        marks: Sequence[Mark],
        documents: Documents | None = None,
    ) -> None:
        self.model, self.vocabulary, self.config, self.documents = model, vocabulary, config, documents
        stops, allowed = Stops(config), allowed_by(config, vocabulary)
        match = None if config.match is None else Match(config.match, vocabulary)
        self.texts = [Text(vocabulary, config, mark, documents, stops, match, allowed) for mark in marks]
        self._marks, self._groups = list(marks), list[_Group]()
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether all texts have ended."""
        return not self._groups

    def step(self) -> list[tuple[int, str]]:
        """Go on by a character of each text that has not ended.

        Returns:
            The number of each of them, and what the character completed.
        """
        pieces, is_changed = [], len(self._groups) > 1
        for group in self._groups:
            group.tokens = group.stepper.draw_next(group.tokens, group.draw)
            for row, token in zip(group.rows, group.tokens.tolist(), strict=True):
                text = self.texts[row]
                pieces.append((row, text.add(token)))
                is_changed |= text.is_over or text.is_new
        if is_changed:
            self._keep_marks()
            self._begin()
        return pieces

    @property
    def marks(self) -> list[Mark]:
        """Where each text is."""
        self._keep_marks()
        return [replace(mark, ids=tuple(text.ids)) for mark, text in zip(self._marks, self.texts, strict=True)]

    def _begin(self) -> None:
        """Make ready those that have not ended."""
        rows = [row for row, text in enumerate(self.texts) if not text.is_over]
        groups = [[row for row in rows if (self._marks[row].state is None) == is_new] for is_new in (False, True)]
        self._groups = [self._group(group) for group in groups if group]

    def _group(self, rows: list[int]) -> _Group:
        marks = [self._marks[row] for row in rows]
        states = [mark.state for mark in marks if mark.state is not None]
        random = Uniforms([mark.seed for mark in marks], [mark.position for mark in marks])
        return _Group(
            rows,
            stepper(self.model, joined(states) if states else None, len(rows)),
            make_draw(self.config, random, self.vocabulary, [self.texts[row] for row in rows]),
            random,
            np.array([mark.token for mark in marks]),
        )

    def _keep_marks(self) -> None:
        """Write down where the texts are that had not ended before the last step, but for their characters."""
        for group in self._groups:
            state = group.stepper.state
            for i, row in enumerate(group.rows):
                text, position = self.texts[row], group.random.positions[i]
                mark = replace(self._marks[row], position=position)
                if text.is_rejected:  # the state is already after its last character
                    whole = replace(mark, ids=tuple(text.ids))
                    mark = read_again(self.model, whole, self.vocabulary, self.documents)
                elif text.is_new and self.documents:
                    mark = replace(mark, state=None, token=self.documents.start)
                elif state is not None:
                    row_state = tuple(part[i : i + 1].clone() for part in state)
                    mark = replace(mark, state=row_state, token=int(group.tokens[i]))
                self._marks[row] = mark
