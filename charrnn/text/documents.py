"""A text as documents, each of which is read with a fresh state: where they begin, and spans of them.

A document ends with the separator; the last one may end without. Its first character is predicted too: from the
character that starts a text, as when a text is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.text.normalize import separator_of
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 1 << 22
"""The characters that are searched for separators at a time."""


@dataclass(frozen=True)
class Documents:
    """How documents are separated.

    Attributes:
        separator: the ids that each ends with, one at least.
        start: the id that is read before the first character of each.
    """

    separator: tuple[int, ...]
    start: int

    @classmethod
    def of(cls, config: CorpusConfig, vocabulary: Vocabulary) -> Documents | None:
        """The separation that a configuration asks for; None where a text is not read as documents.

        A separator with a character that the vocabulary lacks ends nothing: the text is one document.
        """
        separator = separator_of(config)
        if not separator:
            return None
        known = vocabulary.is_bytes or set(separator) <= set(vocabulary.characters or ())
        ids = vocabulary.encode(separator).tolist() if known else [-1]
        return cls(tuple(ids), vocabulary.start)

    def starts(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Where the documents of a text begin.

        Separators are found from the left, and do not overlap, as `str.split` finds them.

        Returns:
            (D,) rising from 0.
        """
        length = len(self.separator)
        places = [
            begin + _places(ids[begin : begin + CHUNK_CHARS + length - 1], self.separator)
            for begin in range(0, len(ids), CHUNK_CHARS)
        ]
        ends = _apart(np.concatenate(places), length) + length
        return np.concatenate((np.zeros(1, np.int64), ends[ends < len(ids)]))


@dataclass(frozen=True, eq=False)
class TextSpan:
    """A stretch of an encoded text.

    Slices are spans of the same kind. Where a text is documents, each span begins a document, even if it is cut out of
    the middle of one.

    Attributes:
        ids: (N,) the characters; it may be memory-mapped, and a slice copies nothing.
        documents: how documents are separated, if a model reads each with a fresh state; None where the text is one.
    """

    ids: NDArray[Any]
    documents: Documents | None = None

    @classmethod
    def of(cls, text: TextSpan | NDArray[Any] | Sequence[int]) -> TextSpan:
        """A span as it is; ids as a span without documents."""
        return text if isinstance(text, TextSpan) else cls(np.asarray(text))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> TextSpan:
        """A stretch of the span; ValueError where the slice leaves characters out, or turns them round."""
        if part.step not in (None, 1):
            raise ValueError(f"a span has a step of 1, found {part.step}")
        return TextSpan(self.ids[part], self.documents)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(D,) where documents begin, rising from 0; the beginning alone where the text is one."""
        return self.documents.starts(self.ids) if self.documents else np.zeros(1, np.int64)


def _places(piece: NDArray[Any], separator: tuple[int, ...]) -> NDArray[np.int64]:
    count = len(piece) - len(separator) + 1
    if count < 1 or separator[0] < 0:
        return np.zeros(0, np.int64)
    places = np.flatnonzero(piece[:count] == separator[0])
    for offset, token in enumerate(separator[1:], 1):
        places = places[piece[places + offset] == token]
    return places.astype(np.int64)


def _apart(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Rising places without those that overlap the last one kept."""
    if len(places) < 2 or np.diff(places).min() >= length:
        return places
    kept, end = [], -1
    for place in places.tolist():
        if place >= end:
            kept.append(place)
            end = place + length
    return np.array(kept, np.int64)
