"""n-grams as integer keys that sort like the n-grams.

The characters of an n-gram, plus one, are the digits of a number in base V + 1, the oldest first; the digit 0 is the
padding before the text. As many digits as possible go into one 64-bit word; n-grams that do not fit (large
vocabularies, high orders) take several words, compared one after the other. To avoid that, characters that do not occur
in the text are skipped first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.trie import Words, smallest_integer

MAX_WORD = 2**64 - 1
"""The largest number that fits into a word."""
CHUNK_CHARS = 1 << 20
"""The number of characters examined at a time."""
BLOCK_WINDOWS = 1 << 15
"""The number of n-grams computed at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class KeyCodec:
    """A mapping between characters and the digits of keys.

    Attributes:
        characters: (base − 1,) the ids of the characters with digits 1, 2, …, in order.
        vocab_size: V.
    """

    characters: NDArray[Any]
    vocab_size: int

    @classmethod
    def of(cls, ids: NDArray[Any], vocab_size: int, order: int) -> KeyCodec:
        """Return a codec of all V characters if n-grams then fit into one word, else of the text's characters."""
        full = cls(np.arange(vocab_size), vocab_size)
        if len(_digits(order, full.base)) == 1:
            return full
        occurs = np.zeros(vocab_size, bool)
        for low in range(0, len(ids), CHUNK_CHARS):
            occurs[ids[low : low + CHUNK_CHARS]] = True
        return cls(np.flatnonzero(occurs), vocab_size)

    @property
    def base(self) -> int:
        """The number of digits: one per character, and one for the padding."""
        return len(self.characters) + 1

    def digits_of(self, ids: NDArray[Any]) -> Words:
        """Return the digits of characters, (N,)."""
        if len(self.characters) == self.vocab_size:
            return ids.astype(np.uint64) + np.uint64(1)
        table = np.zeros(self.vocab_size, np.uint64)
        table[self.characters] = np.arange(1, self.base)
        digits: Words = table[ids]
        return digits

    def tokens_of(self, digits: Words) -> NDArray[Any]:
        """Return the characters of digits, plus one, (N,); 0 is the padding."""
        tokens = np.concatenate(([0], self.characters + 1)).astype(smallest_integer(self.vocab_size))
        return tokens[digits.astype(np.int64)]


@dataclass(frozen=True)
class NgramKeys:
    """E n-grams of one order, as keys.

    Attributes:
        words: arrays (E,); the first one holds the oldest characters.
        digits: the number of characters in each word; all words except the last are full.
        codec: the codec of the digits.
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
        """Concatenate n-grams of the same order."""
        words = tuple(np.concatenate(words) for words in zip(*(part.words for part in parts), strict=True))
        return cls(words, parts[0].digits, parts[0].codec)

    def with_padding(self) -> NgramKeys:
        """Return these n-grams preceded by one that consists of padding."""
        words = tuple(np.concatenate((np.zeros(1, np.uint64), word)) for word in self.words)
        return NgramKeys(words, self.digits, self.codec)

    def newest(self) -> Words:
        """Return the last digit of each n-gram, (E,)."""
        return self.words[-1] % np.uint64(self.codec.base)

    def without_newest(self) -> NgramKeys:
        """Return the contexts, without the last character; the order must be at least 2."""
        if self.digits[-1] == 1:
            return NgramKeys(self.words[:-1], self.digits[:-1], self.codec)
        shorter = self.words[-1] // np.uint64(self.codec.base)
        return NgramKeys((*self.words[:-1], shorter), (*self.digits[:-1], self.digits[-1] - 1), self.codec)

    def without_oldest(self) -> NgramKeys:
        """Return the n-grams without their oldest character; the order must be at least 2.

        For sorted n-grams, the result consists of sorted runs, one per distinct oldest character.
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
        """Return the sorted n-grams. A single word is sorted in place, so `self` changes too. `in_runs` merges runs."""
        if len(self.words) > 1:
            return self[np.lexsort(self.words[::-1])]
        self.words[0].sort(kind="stable" if in_runs else None)
        return self

    def sorting(self) -> NDArray[np.int64]:
        """Return the indices (E,) that sort the n-grams stably; fast for long sorted runs."""
        if len(self.words) > 1:
            return np.lexsort(self.words[::-1])
        return np.argsort(self.words[0], kind="stable")

    def first_of_runs(self) -> NDArray[np.int64]:
        """Return the index of the first n-gram of each run of equal ones."""
        first = np.ones(len(self), bool)
        first[1:] = self[1:].differ(self[:-1])
        return np.flatnonzero(first)

    def differ(self, other: NgramKeys) -> NDArray[np.bool_]:
        """Return whether each n-gram differs from the one at the same index of `other`, (E,)."""
        flags: NDArray[np.bool_] = self.words[0] != other.words[0]
        for word, other_word in zip(self.words[1:], other.words[1:], strict=True):
            flags |= word != other_word
        return flags


def _digits(order: int, base: int) -> tuple[int, ...]:
    """Return the number of characters in each word."""
    fit = 1
    while base ** (fit + 1) - 1 <= MAX_WORD:
        fit += 1
    full, rest = divmod(order, fit)
    return (fit,) * full + (rest,) * (rest > 0)


def windows(ids: NDArray[Any], begin: int, end: int, order: int, codec: KeyCodec) -> NgramKeys:
    """Return the n-grams that end at positions `begin` to `end` − 1 of a text, in text order.

    `ids` (N,) is the whole text, because the characters before `begin` are read too; it may be memory-mapped.
    """
    base = codec.base
    digits = _digits(order, base)
    # Not np.zeros: numpy requests huge pages, which are faster to allocate, only for memory it need not clear.
    words = tuple(np.empty(end - begin, np.uint64) for _ in digits)
    for low in range(begin, end, BLOCK_WINDOWS):
        high = min(low + BLOCK_WINDOWS, end)
        block = np.zeros(high - low + order - 1, np.uint64)
        known = min(low, order - 1)  # the rest is padding
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
