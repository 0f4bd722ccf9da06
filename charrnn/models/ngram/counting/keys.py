"""n-grams as numbers that sort as the n-grams do; knows nothing of counts or probabilities.

The characters of an n-gram, shifted up by one, are the digits of a number in base V + 1, the oldest first; the digit 0
is the padding before the start of a text. As many digits as fit go into one 64-bit word; n-grams that do not fit (large
vocabularies, high orders) take several words, compared one after the other. Before it comes to that, characters that
the text does not have are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.trie import Words, smallest_integer

MAX_WORD = 2**64 - 1
CHUNK_CHARS = 1 << 20
"""Characters that are looked at together."""
BLOCK_WINDOWS = 1 << 15
"""n-grams that are computed together, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class KeyCodec:
    """Characters as the digits of keys.

    Attributes:
        characters: (base − 1,) the ids of the digits from 1 on, in order.
        vocab_size: V.
    """

    characters: NDArray[Any]
    vocab_size: int

    @classmethod
    def of(cls, ids: NDArray[Any], vocab_size: int, order: int) -> KeyCodec:
        """A codec of all V characters, if n-grams of that order then fit into one word; else of those of a text."""
        full = cls(np.arange(vocab_size), vocab_size)
        if len(_digits(order, full.base)) == 1:
            return full
        occurs = np.zeros(vocab_size, bool)
        for low in range(0, len(ids), CHUNK_CHARS):
            occurs[ids[low : low + CHUNK_CHARS]] = True
        return cls(np.flatnonzero(occurs), vocab_size)

    @property
    def base(self) -> int:
        """One more than there are characters, for the padding."""
        return len(self.characters) + 1

    def digits_of(self, ids: NDArray[Any]) -> Words:
        """(N,) the digits of characters."""
        if len(self.characters) == self.vocab_size:
            return ids.astype(np.uint64) + np.uint64(1)
        table = np.zeros(self.vocab_size, np.uint64)
        table[self.characters] = np.arange(1, self.base)
        digits: Words = table[ids]
        return digits

    def tokens_of(self, digits: Words) -> NDArray[Any]:
        """(N,) the characters of digits, shifted up by one; 0 is the padding."""
        tokens = np.concatenate(([0], self.characters + 1)).astype(smallest_integer(self.vocab_size))
        return tokens[digits.astype(np.int64)]


@dataclass(frozen=True)
class NgramKeys:
    """E n-grams of one order, as keys.

    Attributes:
        words: (E,) each; the first holds the oldest characters.
        digits: how many characters each word holds; all but the last hold as many as fit.
        codec: of the digits.
    """

    words: tuple[Words, ...]
    digits: tuple[int, ...]
    codec: KeyCodec

    @property
    def order(self) -> int:
        """The length of the n-grams."""
        return sum(self.digits)

    def __len__(self) -> int:
        return len(self.words[0])

    def __getitem__(self, which: slice | NDArray[Any]) -> NgramKeys:
        return NgramKeys(tuple(word[which] for word in self.words), self.digits, self.codec)

    @classmethod
    def concatenate(cls, parts: Sequence[NgramKeys]) -> NgramKeys:
        """All n-grams of several of the same order."""
        words = tuple(np.concatenate(words) for words in zip(*(part.words for part in parts), strict=True))
        return cls(words, parts[0].digits, parts[0].codec)

    def with_padding(self) -> NgramKeys:
        """The same behind one that is all padding."""
        words = tuple(np.concatenate((np.zeros(1, np.uint64), word)) for word in self.words)
        return NgramKeys(words, self.digits, self.codec)

    def newest(self) -> Words:
        """(E,) the last digit of each."""
        return self.words[-1] % np.uint64(self.codec.base)

    def without_newest(self) -> NgramKeys:
        """The contexts; order ≥ 2."""
        if self.digits[-1] == 1:
            return NgramKeys(self.words[:-1], self.digits[:-1], self.codec)
        shorter = self.words[-1] // np.uint64(self.codec.base)
        return NgramKeys((*self.words[:-1], shorter), (*self.digits[:-1], self.digits[-1] - 1), self.codec)

    def without_oldest(self) -> NgramKeys:
        """The n-grams of one order less that these end with; order ≥ 2.

        Of sorted ones they are as many sorted runs as there are different oldest characters.
        """
        words = []
        for i, (word, digits) in enumerate(zip(self.words, self.digits, strict=True)):
            rest = word % np.uint64(self.codec.base ** (digits - 1))
            if i + 1 < len(self.words):  # the oldest digit of the next word moves up
                rest *= np.uint64(self.codec.base)
                rest += self.words[i + 1] // np.uint64(self.codec.base ** (self.digits[i + 1] - 1))
            words.append(rest)
        kept = words if self.digits[-1] > 1 else words[:-1]
        return NgramKeys(tuple(kept), _digits(self.order - 1, self.codec.base), self.codec)

    def sorted(self, in_runs: bool = False) -> NgramKeys:
        """The same in order. One word is sorted in place, and this one is spoiled. With `in_runs` runs are merged."""
        if len(self.words) > 1:
            return self[np.lexsort(self.words[::-1])]
        self.words[0].sort(kind="stable" if in_runs else None)
        return self

    def sorting(self) -> NDArray[np.int64]:
        """(E,) the indices that sort them, equal ones in their order; fast where long runs are sorted already."""
        if len(self.words) > 1:
            return np.lexsort(self.words[::-1])
        return np.argsort(self.words[0], kind="stable")

    def first_of_runs(self) -> NDArray[np.int64]:
        """The index of the first of each run of equal ones."""
        first = np.ones(len(self), bool)
        first[1:] = self[1:].differ(self[:-1])
        return np.flatnonzero(first)

    def differ(self, other: NgramKeys) -> NDArray[np.bool_]:
        """(E,) whether each differs from its counterpart in another of the same length."""
        flags: NDArray[np.bool_] = self.words[0] != other.words[0]
        for word, other_word in zip(self.words[1:], other.words[1:], strict=True):
            flags |= word != other_word
        return flags


def _digits(order: int, base: int) -> tuple[int, ...]:
    """How many characters go into each word."""
    fit = 1
    while base ** (fit + 1) - 1 <= MAX_WORD:
        fit += 1
    full, rest = divmod(order, fit)
    return (fit,) * full + (rest,) * (rest > 0)


def windows(ids: NDArray[Any], begin: int, end: int, order: int, codec: KeyCodec) -> NgramKeys:
    """The n-grams of a length that end at the places of a text from `begin` to before `end`, in the text's order.

    `ids` (N,) is the whole text, which may be memory-mapped: what stands before `begin` is read too.
    """
    base = codec.base
    digits = _digits(order, base)
    # Not zeros: numpy asks for huge pages, which are quicker to come by, only for memory that it need not clear.
    words = tuple(np.empty(end - begin, np.uint64) for _ in digits)
    for low in range(begin, end, BLOCK_WINDOWS):
        high = min(low + BLOCK_WINDOWS, end)
        block = np.zeros(high - low + order - 1, np.uint64)
        known = min(low, order - 1)  # before that there is padding
        block[order - 1 - known :] = codec.digits_of(ids[low - known : high])
        place = 0
        for word, size in zip(words, digits, strict=True):
            part = word[low - begin : high - begin]
            part[:] = block[place : place + len(part)]
            for newer in range(place + 1, place + size):
                part *= np.uint64(base)
                part += block[newer : newer + len(part)]
            place += size
    return NgramKeys(words, digits, codec)
