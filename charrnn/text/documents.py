"""Texts made of documents, each read with a fresh state: document boundaries, and spans of text.

A document ends with the separator; the last one may lack it. The first character of a document is predicted too, from
the start character of the vocabulary, as in sampling.
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
"""The number of characters searched for separators at a time."""


@dataclass(frozen=True)
class Documents:
    """How the documents of a text are separated.

    Attributes:
        separator: the ids at the end of each document; at least one.
        start: the id that is read before the first character of each document.
    """

    separator: tuple[int, ...]
    start: int

    @classmethod
    def of(cls, config: CorpusConfig, vocabulary: Vocabulary) -> Documents | None:
        """Return the separation that `config` requests; None if the text is not read as documents.

        If the vocabulary lacks a character of the separator, the whole text is one document.
        """
        separator = separator_of(config)
        if not separator:
            return None
        known = vocabulary.is_bytes or set(separator) <= set(vocabulary.characters or ())
        ids = vocabulary.encode(separator).tolist() if known else [-1]
        return cls(tuple(ids), vocabulary.start)

    def starts(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Return the indices at which the documents of a text start.

        Separators are matched from the left without overlap, as by `str.split`.

        Returns:
            (D,) increasing, the first one 0.
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
    """A span of an encoded text.

    Slices are spans too. In a text with documents, every span starts a document, even if cut out of the middle of one.

    Attributes:
        ids: (N,) the characters; may be memory-mapped; slicing copies nothing.
        documents: how documents are separated; None if the text is not read as documents.
    """

    ids: NDArray[Any]
    documents: Documents | None = None

    @classmethod
    def of(cls, text: TextSpan | NDArray[Any] | Sequence[int]) -> TextSpan:
        """Wrap ids in a span without documents; return a span unchanged."""
        return text if isinstance(text, TextSpan) else cls(np.asarray(text))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> TextSpan:
        """Return a slice of the span; ValueError if its step is not 1."""
        if part.step not in (None, 1):
            raise ValueError(f"a span has a step of 1, found {part.step}")
        return TextSpan(self.ids[part], self.documents)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(D,) the indices at which documents start, increasing from 0; only 0 if there are no documents."""
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
    """Drop each place that overlaps the last one kept; `places` increase."""
    if len(places) < 2 or np.diff(places).min() >= length:
        return places
    kept, end = [], -1
    for place in places.tolist():
        if place >= end:
            kept.append(place)
            end = place + length
    return np.array(kept, np.int64)
