"""Generating several texts in parallel; each can be paused at any point and continued later.

A text depends only on its own seed: it is the same whether generated alone, with others, or with pauses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.models.stepper import Sampler, Stepper, Tokens, make_stepper
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import make_sampler
from charrnn.sampling.sequence import GeneratedSequence, SequenceRules
from charrnn.sampling.state import GenerationState, recompute, stack_states
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


@dataclass
class _Group:
    """Texts that are stepped together: either all of them have a model state, or none has."""

    rows: list[int]
    stepper: Stepper
    draw: Sampler
    random: CounterRNG
    tokens: Tokens


class BatchGenerator:
    """A generator of texts in parallel, with one seed per text.

    Args:
        model: the model.
        vocabulary: the vocabulary of the model.
        config: the settings; their seed is ignored.
        states: the state from which each text continues.
        documents: how documents are separated, if the model was trained on documents; it then generates documents.

    Attributes:
        sequences: the texts, in the order of `states`.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        states: Sequence[GenerationState],
        documents: Documents | None = None,
    ) -> None:
        self.model, self.vocabulary, self.config, self.documents = model, vocabulary, config, documents
        rules = SequenceRules(config, vocabulary, documents)
        self.sequences = [GeneratedSequence(rules, state) for state in states]
        self._states, self._groups = list(states), list[_Group]()
        self._regroup()

    @property
    def finished(self) -> bool:
        """Whether all texts are finished."""
        return not self._groups

    def step(self) -> list[tuple[int, str]]:
        """Generate one character of each unfinished text.

        Returns:
            Pairs of a text's index and the piece of text that its character completed.
        """
        pieces, is_changed = [], len(self._groups) > 1
        for group in self._groups:
            group.tokens = group.stepper.draw_next(group.tokens, group.draw)
            for row, token in zip(group.rows, group.tokens.tolist(), strict=True):
                sequence = self.sequences[row]
                pieces.append((row, sequence.add(token)))
                is_changed |= sequence.finished or sequence.at_document_start
        if is_changed:
            self._update_states()
            self._regroup()
        return pieces

    @property
    def states(self) -> list[GenerationState]:
        """The current state of each text, for continuing later."""
        self._update_states()
        pairs = zip(self._states, self.sequences, strict=True)
        return [replace(state, ids=tuple(sequence.ids)) for state, sequence in pairs]

    def _regroup(self) -> None:
        """Prepare the next steps of the unfinished texts."""
        rows = [row for row, sequence in enumerate(self.sequences) if not sequence.finished]
        groups = [[row for row in rows if (self._states[row].state is None) == is_empty] for is_empty in (False, True)]
        self._groups = [self._group(group) for group in groups if group]

    def _group(self, rows: list[int]) -> _Group:
        states = [self._states[row] for row in rows]
        model_states = [state.state for state in states if state.state is not None]
        random = CounterRNG([state.seed for state in states], [state.position for state in states])
        return _Group(
            rows,
            make_stepper(self.model, stack_states(model_states) if model_states else None, len(rows)),
            make_sampler(self.config, random, self.vocabulary, [self.sequences[row] for row in rows]),
            random,
            np.array([state.token for state in states]),
        )

    def _update_states(self) -> None:
        """Update the states (except `ids`) of the texts that were unfinished before the last step."""
        for group in self._groups:
            model_state = group.stepper.state
            for i, row in enumerate(group.rows):
                sequence, position = self.sequences[row], group.random.positions[i]
                state = replace(self._states[row], position=position)
                if sequence.dropped_last:  # the model has already read its last character
                    whole = replace(state, ids=tuple(sequence.ids))
                    state = recompute(self.model, whole, self.vocabulary, self.documents)
                elif sequence.at_document_start and self.documents:
                    state = replace(state, state=None, token=self.documents.start)
                elif model_state is not None:
                    row_state = tuple(part[i : i + 1].clone() for part in model_state)
                    state = replace(state, state=row_state, token=int(group.tokens[i]))
                self._states[row] = state
