"""The words and word pairs of a text, as sorted hashes for fast lookup; works on ids, not on strings.

A word is a maximal run of letters and apostrophes: [A-Za-z']+ in English, with their own letters in other languages. So
a word does not depend on the punctuation after it, and "o'er" is one word. Consecutive words form a pair.
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
"""Number of characters split into words at a time."""
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True)
class Words:
    """The distinct words and word pairs of a text, as 64-bit hashes.

    Among two million words, the probability of any collision is about one in ten million.

    Attributes:
        letters: (V,) which ids belong to words.
        words: (W,) distinct words, sorted.
        pairs: (P,) distinct pairs, sorted.
    """

    letters: NDArray[np.bool_]
    words: Hashes
    pairs: Hashes

    @classmethod
    def of(cls, ids: NDArray[Any], letters: NDArray[np.bool_]) -> Words:
        """Collect the words of a text, (N,) ids; `letters` comes from `letters_of`."""
        words, pairs, last = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], np.zeros(0, np.uint64)
        for piece in _words_in(ids, letters):
            words.append(np.unique(piece))
            piece = np.concatenate((last, piece))
            pairs.append(np.unique(_pairs(piece)))
            last = piece[-1:]
        return cls(letters, np.unique(np.concatenate(words)), np.unique(np.concatenate(pairs)))

    def known(self, ids: NDArray[Any]) -> tuple[float | None, float | None]:
        """Return the shares of another text's words, and of its word pairs, that occur here, counting repetitions.

        A share is None if the other text has no words, or no pairs.
        """
        words = np.concatenate([np.zeros(0, np.uint64), *_words_in(ids, self.letters)])
        return _share(words, self.words), _share(_pairs(words), self.pairs)


def letters_of(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Return, (V,), which ids belong to words. Bytes outside ASCII do: most are parts of letters."""
    characters = vocabulary.characters or [chr(byte) if byte < 0x80 else "é" for byte in range(len(vocabulary))]
    # L: letters. M: marks, which are parts of letters in many scripts.
    return np.array(
        [character in APOSTROPHES or unicodedata.category(character)[0] in "LM" for character in characters]
    )


def _words_in(ids: NDArray[Any], letters: NDArray[np.bool_]) -> Iterator[Hashes]:
    """Yield the hashes of a text's words in order, chunk by chunk; no chunk ends within a word."""
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
    """Hash each word as a polynomial of its letters: Σ mix(letter i) · MULTIPLIER^i mod 2⁶⁴."""
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
    """Hash each pair of consecutive words."""
    return mix(words[:-1]) + words[1:]


def _share(hashes: Hashes, known: Hashes) -> float | None:
    """Return the share of the hashes that are among the sorted `known` hashes; None if there are no hashes."""
    if not len(hashes):
        return None
    if not len(known):
        return 0.0
    nearest = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return float((known[nearest] == hashes).mean())
