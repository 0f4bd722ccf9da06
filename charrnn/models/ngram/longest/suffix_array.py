"""The places of a text, sorted by what stands before them: where something was seen before, and how much of it.

Place e of a text is the gap after its first e characters, which are its context. Contexts are compared from the newest
character back, so that all places after the same characters stand side by side: it is the suffix array of the reversed
text (Manber and Myers 1993). Knows nothing of probabilities.

From the range of places after m characters to the places after these and one more it takes two binary searches,
whatever m is: the backward search of Ferragina and Manzini 2000. Where there are none, the longest match is looked for
anew: in many places at once, a word of 8 bytes after a word, or in one place, whatever its length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.trie import Ints, Words
from charrnn.progress import Progress, no_progress

MAX_DEPTH = 32
"""The longest match that is looked for in many places at once; longer ones, which are rare, are followed one by one."""
MAX_SINGLE_READS = 32
"""Up to this many characters are read faster one by one than at once."""
WORD_BYTES = 8
"""Bytes that are compared together."""
CHUNK_PLACES = 1 << 22
"""Places that are handled together while an index is built."""


def suffix_array(ids: NDArray[Any]) -> NDArray[Any]:
    """The places where the suffixes of a text begin, in the order of the suffixes; a prefix comes first.

    Args:
        ids: (N,) integers of any type, none negative; they may be memory-mapped, read-only, and a view of others.

    Returns:
        (N,) int32, or int64 for 2 GB and more.
    """
    from pydivsufsort import divsufsort  # type: ignore[import-untyped]

    if not len(ids):
        return np.zeros(0, np.int32)
    # Always a copy: divsufsort refuses arrays that it may not write to.
    order: NDArray[Any] = divsufsort(np.array(ids, np.min_scalar_type(ids.max()), order="C"))
    return order


def text_type(vocab_size: int) -> np.dtype[Any]:
    """The type of an index's text: it holds V + 1, and every library of tensors knows it."""
    return np.dtype(next(kind for kind in ("<u1", "<i2", "<i4") if vocab_size + 1 <= np.iinfo(kind).max))


@dataclass(frozen=True)
class ContextIndex:
    """The places of a text, sorted. The arrays may be memory-mapped; no number in them, however wrong, leads outside.

    Attributes:
        text: (N + WORD_BYTES / bytes of an item,) the ids, shifted up by one, after a word of zeros as padding.
        places: (P,) all places, sorted by their contexts; P is N + 1, or N if the last place is left out.
        shorter: (P,) for each of them, the rank of the place one character earlier; 0 for place 0, whose rank is 0.
        starts: (V + 1,) the rank of the first context that ends in each character, and P.
    """

    text: NDArray[Any]
    places: NDArray[Any]
    shorter: NDArray[Any]
    starts: Ints

    @classmethod
    def build(
        cls, ids: NDArray[Any], vocab_size: int, followed: bool = False, progress: Progress = no_progress
    ) -> ContextIndex:
        """Sort the places of a text.

        A character takes 9 bytes, and 13 while they are sorted; 1 to 3 more where the vocabulary is larger than 254.
        With `followed` the last place, which no character follows, is left out; the text must then not be empty.
        """
        count = len(ids) + (not followed)
        kind = np.int32 if count < 2**31 else np.int64
        places = np.zeros(count, kind)
        np.subtract(count - 1, suffix_array(ids[: count - 1][::-1]), out=places[1:], casting="unsafe")
        progress(1, 3)
        ranks, shorter = np.empty(count, kind), np.zeros(count, kind)
        seen = np.zeros(vocab_size, np.int64)
        for begin in range(0, count, CHUNK_PLACES):
            chunk = slice(begin, min(begin + CHUNK_PLACES, count))
            ranks[places[chunk]] = np.arange(chunk.start, chunk.stop)
            seen += np.bincount(ids[: count - 1][chunk], minlength=vocab_size)
        progress(2, 3)
        for begin in range(1, count, CHUNK_PLACES):
            shorter[begin : begin + CHUNK_PLACES] = ranks[places[begin : begin + CHUNK_PLACES] - 1]
        text = np.zeros(WORD_BYTES // text_type(vocab_size).itemsize + len(ids), text_type(vocab_size))
        np.add(ids, 1, out=text[len(text) - len(ids) :], dtype=np.int64, casting="unsafe")
        progress(3, 3)
        return cls(text, places, shorter, np.cumsum(np.append(1, seen)))

    @property
    def empty(self) -> tuple[int, int, int]:
        """The match of no characters, with which reading begins: low, high and length, as `read` has them."""
        return 0, len(self.places), 0

    @property
    def per_word(self) -> int:
        """Characters in a word."""
        return WORD_BYTES // self.text.itemsize

    def before(self, place: int, length: int) -> NDArray[Any]:
        """The `length` characters before a place, shifted up by one; zeros, or fewer, at the start."""
        end = max(place + self.per_word, 0)
        return self.text[max(end - length, 0) : end]

    def extend(self, low: Any, high: Any, tokens: Any) -> tuple[Ints, Ints]:
        """The ranges of places after the same characters and one more; low = high where there are none.

        Ranges of places (low and high) and the next character of each are integers of shapes that fit each other.
        """
        low, high, tokens = np.broadcast_arrays(low, high, tokens)
        start, end = self.starts[tokens], self.starts[tokens + 1]
        first = _bisect(start, end, lambda ranks: self.shorter.take(ranks, mode="clip") < low)
        return first, _bisect(first, end, lambda ranks: self.shorter.take(ranks, mode="clip") < high)

    def read(self, tokens: NDArray[Any], matches: Ints) -> Ints:
        """Read other texts, and find after each character the longest suffix of what was read that is in the index.

        Args:
            tokens: (B, T) ids.
            matches: (B, 3) the match of each row so far: the range of places (low and high), and how many characters
                before them are the last ones that were read (length).

        Returns:
            (B, T, 3): the match after each token.
        """
        after = np.empty((*tokens.shape, 3), np.int64)
        is_single = np.ones(tokens.shape, bool)
        if tokens.size > MAX_SINGLE_READS:
            after[:] = self._read_at_once(tokens, matches)
            is_single = after[..., 2] == MAX_DEPTH
        for row, at in zip(*(indices.tolist() for indices in np.nonzero(is_single)), strict=True):
            low, high, length = (after[row, at - 1] if at else matches[row]).tolist()
            after[row, at] = self.read_one(low, high, length, int(tokens[row, at]))
        return after

    def read_one(self, low: int, high: int, length: int, token: int) -> tuple[int, int, int]:
        """`read` for one character of one text, without arrays: the match (low, high, length) after the token."""
        start, end = self.starts[token : token + 2].tolist()
        first = bisect_left(self.shorter, low, start, end)
        last = bisect_left(self.shorter, high, first, end)
        if first < last:
            return first, last, length + 1
        return self._longest(np.append(self.before(int(self.places[low]), length), self.text.dtype.type(token + 1)))

    def _longest(self, seen: NDArray[Any]) -> tuple[int, int, int]:
        """The longest match of a suffix of some characters, shifted as in the text; a neighbour in the order has it."""
        # Reversed, the bytes of little-endian numbers are those of big-endian ones, which compare as contexts do.
        wanted, size, ranks = seen.tobytes()[::-1], seen.itemsize, range(len(self.places))

        def context(rank: int) -> bytes:
            return self.before(int(self.places[rank]), len(wanted) // size).tobytes()[::-1]

        at = bisect_left(ranks, wanted, key=context)
        length = max(_common(wanted, context(rank)) // size for rank in (at - 1, at) if rank in ranks)
        wanted = wanted[: length * size]
        low = min(bisect_left(ranks, wanted, 0, at, key=context), ranks[-1])
        return low, bisect_right(ranks, wanted, max(at, low + 1), key=context), length

    def _read_at_once(self, tokens: NDArray[Any], matches: Ints) -> Ints:
        """`read` for all places together, word by word from the newest; matches of MAX_DEPTH may be longer."""
        query = self._query(tokens, matches)
        words = _words(query.ravel())
        begins = np.arange(query.size).reshape(query.shape)[:, MAX_DEPTH:].ravel() + 1 - self.per_word
        after = np.tile(self.empty, (len(begins), 1))
        rows = np.arange(len(begins))
        low, high = after[:, 0], after[:, 1]
        for depth in range(0, MAX_DEPTH, self.per_word):
            wanted = words[begins[rows] - depth]
            first, last = self._narrow(low, high, depth, wanted)
            ends = first == last
            after[rows[ends]] = self._end_in_word(low[ends], high[ends], first[ends], depth, wanted[ends])
            rows, low, high = rows[~ends], first[~ends], last[~ends]
        after[rows] = np.stack((low, high, np.full(len(rows), MAX_DEPTH)), axis=-1)
        return after.reshape(*tokens.shape, 3)

    def _query(self, tokens: NDArray[Any], matches: Ints) -> NDArray[Any]:
        """(B, MAX_DEPTH + T) as the index's text: what the matches know, after strangers to it, and the tokens."""
        low, _, length = matches.T[:, :, None]
        back = np.arange(-MAX_DEPTH, 0)
        known = self.text.take(self.places.take(low, mode="clip") + self.per_word + back, mode="clip")
        old = np.where(back >= -length, known, len(self.starts))  # V + 1 is in no text
        return np.concatenate((old, tokens.astype(np.int64) + 1), axis=1).astype(self.text.dtype)

    def _narrow(self, low: Ints, high: Ints, depth: int, wanted: Words, shift: Any = 0) -> tuple[Ints, Ints]:
        """The ranges, within others, where the word that ends `depth` characters back is `wanted`, bits below aside."""
        shift = np.asarray(shift, np.uint64)
        wanted = wanted >> shift
        first = _bisect(low, high, lambda ranks: self._words_at(ranks, depth) >> shift < wanted)
        return first, _bisect(first, high, lambda ranks: self._words_at(ranks, depth) >> shift <= wanted)

    def _end_in_word(self, low: Ints, high: Ints, at: Ints, depth: int, wanted: Words) -> Ints:
        """(B, 3) the matches that end within a word, which would stand `at` a rank; they are with its neighbours."""
        bits, common = 8 * self.text.itemsize, np.zeros(len(at), np.int64)
        for ranks in (at - 1, at):
            other = self._words_at(ranks, depth) ^ wanted
            same = sum((other >> np.uint64(64 - bits * i) == 0).astype(np.int64) for i in range(1, self.per_word))
            common = np.where((low <= ranks) & (ranks < high), np.maximum(common, same), common)
        low, high = self._narrow(low, high, depth, wanted, 64 - bits * common)
        low = np.minimum(low, len(self.places) - 1)  # so it is, and high > low, but in a spoiled file
        return np.stack((low, np.maximum(high, low + 1), depth + common), axis=-1)

    def _words_at(self, ranks: Ints, depth: int) -> Words:
        """The words that end `depth` characters before places."""
        words = _words(self.text)
        begins = self.places.take(ranks, mode="clip").astype(np.int64) - depth
        return words[np.minimum(np.maximum(begins, 0), len(words) - 1)]  # take would copy all that is not aligned


def _words(text: NDArray[Any]) -> Words:
    """The word that begins at each character but the last ones; the newest of its characters counts most."""
    return np.ndarray((len(text) + 1 - WORD_BYTES // text.itemsize,), "<u8", text, strides=(text.itemsize,))


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two strings share at their beginnings."""
    length = min(len(one), len(other))
    differ = np.frombuffer(one, np.uint8, length) != np.frombuffer(other, np.uint8, length)
    return int(differ.argmax()) if differ.any() else length


def _bisect(low: Ints, high: Ints, before: Callable[[Ints], NDArray[np.bool_]]) -> Ints:
    """The first number of each range that `before` does not hold of: a binary search in all ranges at once."""
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        right = (low < high) & before(middle)
        low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
    return low
