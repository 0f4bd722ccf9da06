"""The state of a generated text, from which generation can continue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from charrnn.models.language_model import LanguageModel, State
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 1024
"""The number of characters of a prompt that a model reads at a time."""


@dataclass(frozen=True)
class GenerationState:
    """The state of a text during generation: everything that its next characters depend on.

    Attributes:
        state: the model's state, with one row; None if the model has read nothing.
        token: the last character, which the model reads next.
        ids: all characters so far, starting with the prompt.
        prompt_length: the number of characters in `ids` that are the prompt.
        seed: the seed of the text.
        position: the number of random numbers consumed so far.
    """

    state: State | None
    token: int
    ids: tuple[int, ...]
    prompt_length: int
    seed: int
    position: int = 0

    @classmethod
    def start(cls, vocabulary: Vocabulary, seed: int) -> GenerationState:
        """Return the state before any text, which starts as after a line end."""
        return cls(None, vocabulary.start, (), 0, seed)

    def with_seed(self, seed: int) -> GenerationState:
        """Return this state with a new sequence of random numbers."""
        return replace(self, seed=seed, position=0)

    @property
    def generated(self) -> tuple[int, ...]:
        """The generated characters."""
        return self.ids[self.prompt_length :]


def advance(
    model: LanguageModel,
    state: GenerationState,
    ids: Sequence[int],
    documents: Documents | None = None,
    is_generated: bool = False,
) -> GenerationState:
    """Read more characters with the model, and return the state after them.

    Args:
        model: the model.
        state: the current state.
        ids: the characters that follow.
        documents: how documents are separated, if the model was trained on documents.
        is_generated: whether the characters count as generated rather than as a prompt. A prompt at the start of a text
            is read as is; generated text, and each document, is read after the start character.
    """
    if not len(ids):
        return state
    model_state, token = state.state, state.token
    is_first = not state.ids and not is_generated and documents is None
    for number, (is_start, part) in enumerate(_documents_of(state, ids, documents)):
        if is_start and documents:
            model_state, token = None, documents.start
        read = part if is_first and number == 0 else [token, *part]
        with torch.inference_mode():
            for begin in range(0, len(read) - 1, CHUNK_CHARS):
                chunk = read[begin : min(begin + CHUNK_CHARS, len(read) - 1)]
                _, model_state = model(torch.tensor([chunk]), model_state)
        token = read[-1]
    after = (*state.ids, *ids)
    if documents and document_begin(documents, after) == len(after):
        model_state, token = None, documents.start
    prompt_length = state.prompt_length if is_generated else len(after)
    return replace(state, state=model_state, token=token, ids=after, prompt_length=prompt_length)


def recompute(
    model: LanguageModel, state: GenerationState, vocabulary: Vocabulary, documents: Documents | None
) -> GenerationState:
    """Return the same state, with the model's state recomputed from all characters."""
    start = GenerationState.start(vocabulary, state.seed)
    again = advance(model, start, state.ids, documents, is_generated=state.prompt_length == 0)
    return replace(state, state=again.state, token=again.token)


def document_begin(documents: Documents, ids: Sequence[int]) -> int:
    """Return the index at which the last document of a text starts; its length, if a document has just ended."""
    begin = int(documents.starts(np.array(ids, np.int64))[-1]) if ids else 0
    return len(ids) if ends_document(documents, ids, begin) else begin


def ends_document(documents: Documents, ids: Sequence[int], begin: int) -> bool:
    """Return whether the document that starts at `begin` has just ended; separators do not overlap."""
    length = len(documents.separator)
    return len(ids) - begin >= length and tuple(ids[-length:]) == documents.separator


def stack_states(states: Sequence[State]) -> State:
    """Stack the model states of several texts into one batch; () for none."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))


def _documents_of(
    state: GenerationState, ids: Sequence[int], documents: Documents | None
) -> Iterator[tuple[bool, list[int]]]:
    """Yield new characters by document, and whether each part starts a document."""
    if documents is None:
        yield False, list(ids)
        return
    whole, known = np.array((*state.ids, *ids)), len(state.ids)
    starts = documents.starts(whole).tolist()
    for begin, end in pairwise([known, *(start for start in starts if start > known), len(whole)]):
        yield begin in starts, whole[begin:end].tolist()
