"""The words of a text and their pairs, as numbers that can be sorted and looked up; knows no str and no models.

A word is a run of letters and apostrophes as long as it goes: what [A-Za-z']+ finds in English, and in other languages
their letters too. So a word does not depend on the punctuation after it, and "o'er" is one. Two words are a pair where
no other word is between them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.stats.duplicates import MULTIPLIER, Hashes, mix, powers_of
from charrnn.text.vocabulary import Vocabulary

CHUNK_CHARS = 1 << 20
"""Characters that are cut into words at a time."""
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True)
class Words:
    """The words and the pairs of words that a text has.

    They are kept as 64-bit hashes: of two million words, that one is taken for another has a chance of about one in ten
    million.

    Attributes:
        letters: (V,) which ids words are made of.
        words: (W,) the different words, sorted.
        pairs: (P,) the different pairs, sorted.
    """

    letters: NDArray[np.bool_]
    words: Hashes
    pairs: Hashes

    @classmethod
    def of(cls, ids: NDArray[Any], letters: NDArray[np.bool_]) -> Words:
        """Those of a text, (N,); see `letters_of`."""
        words, pairs, last = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], np.zeros(0, np.uint64)
        for piece in _words_in(ids, letters):
            words.append(np.unique(piece))
            piece = np.concatenate((last, piece))
            pairs.append(np.unique(_pairs(piece)))
            last = piece[-1:]
        return cls(letters, np.unique(np.concatenate(words)), np.unique(np.concatenate(pairs)))

    def known(self, ids: NDArray[Any]) -> tuple[float | None, float | None]:
        """The shares of another text's words, and of its pairs, that are among these; None if there are none at all.

        A word counts as often as it occurs.
        """
        words = np.concatenate([np.zeros(0, np.uint64), *_words_in(ids, self.letters)])
        return _share(words, self.words), _share(_pairs(words), self.pairs)


def letters_of(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(V,): which ids words are made of. Of bytes also those that are not ASCII: most are parts of letters."""
    characters = vocabulary.characters or [chr(byte) if byte < 0x80 else "é" for byte in range(len(vocabulary))]
    # L: letters. M: marks, which are parts of letters in many scripts.
    return np.array(
        [character in APOSTROPHES or unicodedata.category(character)[0] in "LM" for character in characters]
    )


def _words_in(ids: NDArray[Any], letters: NDArray[np.bool_]) -> Iterator[Hashes]:
    """The words of a text in their order, those of a piece at a time; no piece ends within a word."""
    begin, size = 0, CHUNK_CHARS
    while begin < len(ids):
        piece = ids[begin : begin + size]
        is_letter = letters[piece]
        if begin + size < len(ids):
            gaps = np.flatnonzero(~is_letter)
            if not len(gaps):
                size *= 2
                continue
            piece, is_letter = piece[: gaps[-1] + 1], is_letter[: gaps[-1] + 1]
        yield _hashes(piece, is_letter)
        begin, size = begin + len(piece), CHUNK_CHARS


def _hashes(ids: NDArray[Any], is_letter: NDArray[np.bool_]) -> Hashes:
    """Σ mix(letter i) · MULTIPLIER^i mod 2⁶⁴ for each word: a polynomial of its letters."""
    edges = np.diff(is_letter.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return np.zeros(0, np.uint64)
    sizes = ends - starts
    first = np.cumsum(sizes) - sizes
    powers = powers_of(MULTIPLIER, sizes.max())
    terms = mix(ids[is_letter].astype(np.uint64)) * powers[np.arange(sizes.sum()) - np.repeat(first, sizes)]
    hashes: Hashes = np.add.reduceat(terms, first)
    return hashes


def _pairs(words: Hashes) -> Hashes:
    """The hashes of each word and the next."""
    return mix(words[:-1]) + words[1:]


def _share(hashes: Hashes, known: Hashes) -> float | None:
    """The share of numbers that are among others, which are sorted."""
    if not len(hashes):
        return None
    if not len(known):
        return 0.0
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return float((known[at] == hashes).mean())
