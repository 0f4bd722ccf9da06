"""Places in texts that are being written, to go on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from charrnn.models.language_model import LanguageModel, State
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

PIECE = 1024
"""Characters of a prime that are read at a time."""


@dataclass(frozen=True)
class Mark:
    """A place in a text.

    Attributes:
        state: the model's, of one row; None where nothing has been read.
        token: the character that is read next.
        ids: all characters up to here, the prime's first.
        begin: where in `ids` that begins what was written.
        seed: of the text.
        position: how many random numbers it has taken.
    """

    state: State | None
    token: int
    ids: tuple[int, ...]
    begin: int
    seed: int
    position: int = 0

    @classmethod
    def start(cls, vocabulary: Vocabulary, seed: int) -> Mark:
        """Before a text: it begins as after a line end."""
        return cls(None, vocabulary.start, (), 0, seed)

    def with_seed(self, seed: int) -> Mark:
        """The same place, with other random numbers from here on."""
        return replace(self, seed=seed, position=0)


def read_on(
    model: LanguageModel,
    mark: Mark,
    ids: Sequence[int],
    documents: Documents | None = None,
    is_written: bool = False,
) -> Mark:
    """The place after more characters.

    Args:
        model: any language model; a network must be in evaluation mode.
        mark: where the text is.
        ids: what comes then.
        documents: what tells documents apart, if the model has read each from the beginning.
        is_written: whether that counts as written, and not as a prime. A prime that nothing comes before is read as it
            is; what is written, and each document, after the character that a text begins after.
    """
    if not len(ids):
        return mark
    state, token = mark.state, mark.token
    is_first = not mark.ids and not is_written and documents is None
    for number, (begins, part) in enumerate(_documents_of(mark, ids, documents)):
        if begins and documents:
            state, token = None, documents.start
        read = part if is_first and number == 0 else [token, *part]
        with torch.inference_mode():
            for begin in range(0, len(read) - 1, PIECE):
                _, state = model(torch.tensor([read[begin : min(begin + PIECE, len(read) - 1)]]), state)
        token = read[-1]
    after = (*mark.ids, *ids)
    if documents and document_begin(documents, after) == len(after):
        state, token = None, documents.start
    return replace(mark, state=state, token=token, ids=after, begin=mark.begin if is_written else len(after))


def read_again(model: LanguageModel, mark: Mark, vocabulary: Vocabulary, documents: Documents | None) -> Mark:
    """The same place, with a state that is read anew from all its characters."""
    start = Mark.start(vocabulary, mark.seed)
    again = read_on(model, start, mark.ids, documents, is_written=mark.begin == 0)
    return replace(mark, state=again.state, token=again.token)


def document_begin(documents: Documents, ids: Sequence[int]) -> int:
    """Where the document begins that a text is in; at its end, if the last one has ended there."""
    begin = int(documents.starts(np.array(ids, np.int64))[-1]) if ids else 0
    return len(ids) if ends_document(documents, ids, begin) else begin


def ends_document(documents: Documents, ids: Sequence[int], begin: int) -> bool:
    """Whether a text is at the end of the document that begins there.

    What ends a document does not end, with a part of itself, another one.
    """
    length = len(documents.separator)
    return len(ids) - begin >= length and tuple(ids[-length:]) == documents.separator


def joined(states: Sequence[State]) -> State:
    """The states of several texts as one of a batch; of none, nothing."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))


def _documents_of(mark: Mark, ids: Sequence[int], documents: Documents | None) -> Iterator[tuple[bool, list[int]]]:
    """New characters by document, and whether each part of them begins one."""
    if documents is None:
        yield False, list(ids)
        return
    whole = np.array((*mark.ids, *ids))
    here = len(mark.ids)
    starts = [int(start) for start in documents.starts(whole) if start >= here]
    ends = [*starts, len(whole)] if not starts or starts[0] != here else [*starts[1:], len(whole)]
    begin = here
    for end in ends:
        yield begin in starts, whole[begin:end].tolist()
        begin = end
