"""A suffix array of contexts: finds where the last characters of a text occurred before, and the longest such match.

Position e of a text is the gap after its first e characters, which are its context. Contexts are compared from the
newest character backward, so all positions after the same characters are adjacent: a suffix array of the reversed text
(Manber and Myers 1993).

Two binary searches lead from the range of positions after m characters to the range after these and one more, whatever
m is: the backward search of Ferragina and Manzini 2000. If that range is empty, the longest match is searched for
again: for many positions at once, in words of 8 bytes, or for a single position, whatever its length.
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
"""The longest match searched for in many positions at once; longer ones are rare, and are followed one by one."""
MAX_SINGLE_READS = 32
"""Up to this number of characters, reading one by one is faster than all at once."""
WORD_BYTES = 8
"""The number of bytes compared at once."""
CHUNK_PLACES = 1 << 22
"""The number of positions processed at a time while building an index."""


def suffix_array(ids: NDArray[Any]) -> NDArray[Any]:
    """Return the start positions of a text's suffixes, sorted by suffix; a prefix comes first.

    Args:
        ids: (N,) nonnegative integers of any type; may be memory-mapped, read-only, or a view.

    Returns:
        (N,) int32, or int64 for texts of 2 GB and more.
    """
    from pydivsufsort import divsufsort  # type: ignore[import-untyped]

    if not len(ids):
        return np.zeros(0, np.int32)
    # Always a copy, because divsufsort rejects read-only arrays.
    order: NDArray[Any] = divsufsort(np.array(ids, np.min_scalar_type(ids.max()), order="C"))
    return order


def text_type(vocab_size: int) -> np.dtype[Any]:
    """Return the type of an index's text, which can hold V + 1 and is supported by all tensor libraries."""
    return np.dtype(next(kind for kind in ("<u1", "<i2", "<i4") if vocab_size + 1 <= np.iinfo(kind).max))


@dataclass(frozen=True)
class ContextIndex:
    """The sorted positions of a text, in arrays that may be memory-mapped; invalid values never lead out of bounds.

    Attributes:
        text: (N + WORD_BYTES / item size,) the ids plus one, after one word of zeros as padding.
        places: (P,) all positions, sorted by context; P is N + 1, or N without the last position.
        shorter: (P,) for each of them, the rank of the position one character earlier; 0 for position 0 (of rank 0).
        starts: (V + 1,) the rank of the first context that ends in each character; then P.
    """

    text: NDArray[Any]
    places: NDArray[Any]
    shorter: NDArray[Any]
    starts: Ints

    @classmethod
    def build(
        cls, ids: NDArray[Any], vocab_size: int, followed: bool = False, progress: Progress = no_progress
    ) -> ContextIndex:
        """Sort the positions of a text.

        An index needs 9 bytes per character, and 13 during sorting; 1 to 3 more for vocabularies larger than 254. With
        `followed`, the last position, which no character follows, is left out; the text must not be empty then.
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
        """The match before the first character: low, high and length, as in `read`."""
        return 0, len(self.places), 0

    @property
    def per_word(self) -> int:
        """The number of characters per word."""
        return WORD_BYTES // self.text.itemsize

    def before(self, place: int, length: int) -> NDArray[Any]:
        """Return the `length` characters before a position, plus one each; zeros, or fewer, at the text's start."""
        end = max(place + self.per_word, 0)
        return self.text[max(end - length, 0) : end]

    def extend(self, low: Any, high: Any, tokens: Any) -> tuple[Ints, Ints]:
        """Return the ranges of positions after the same characters and one more; low = high if there are none.

        Ranges of positions (low and high) and the next characters are integers with shapes that broadcast.
        """
        low, high, tokens = np.broadcast_arrays(low, high, tokens)
        start, end = self.starts[tokens], self.starts[tokens + 1]
        first = _bisect(start, end, lambda ranks: self.shorter.take(ranks, mode="clip") < low)
        return first, _bisect(first, end, lambda ranks: self.shorter.take(ranks, mode="clip") < high)

    def read(self, tokens: NDArray[Any], matches: Ints) -> Ints:
        """Read another text, and find the longest match in the index after each character.

        Args:
            tokens: (B, T) ids.
            matches: (B, 3) the current match of each row: its range of positions (low and high), and the number of
                characters before these positions that equal the last ones read (length).

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
        """Perform `read` for one character, without arrays: return the match (low, high, length) after the token."""
        start, end = self.starts[token : token + 2].tolist()
        first = bisect_left(self.shorter, low, start, end)
        last = bisect_left(self.shorter, high, first, end)
        if first < last:
            return first, last, length + 1
        return self._longest(np.append(self.before(int(self.places[low]), length), self.text.dtype.type(token + 1)))

    def _longest(self, seen: NDArray[Any]) -> tuple[int, int, int]:
        """Return the longest match of a suffix of `seen` (ids plus one); an adjacent context in the order has it."""
        # The reversed bytes of little-endian numbers are big-endian, and compare in the order of the contexts.
        target, size, ranks = seen.tobytes()[::-1], seen.itemsize, range(len(self.places))

        def context(rank: int) -> bytes:
            return self.before(int(self.places[rank]), len(target) // size).tobytes()[::-1]

        at = bisect_left(ranks, target, key=context)
        length = max(_common(target, context(rank)) // size for rank in (at - 1, at) if rank in ranks)
        target = target[: length * size]
        low = min(bisect_left(ranks, target, 0, at, key=context), ranks[-1])
        return low, bisect_right(ranks, target, max(at, low + 1), key=context), length

    def _read_at_once(self, tokens: NDArray[Any], matches: Ints) -> Ints:
        """Perform `read` for all positions together, word by word from the newest; MAX_DEPTH caps the length."""
        query = self._query(tokens, matches)
        words = _words(query.ravel())
        begins = np.arange(query.size).reshape(query.shape)[:, MAX_DEPTH:].ravel() + 1 - self.per_word
        after = np.tile(self.empty, (len(begins), 1))
        rows = np.arange(len(begins))
        low, high = after[:, 0], after[:, 1]
        for depth in range(0, MAX_DEPTH, self.per_word):
            targets = words[begins[rows] - depth]
            first, last = self._narrow(low, high, depth, targets)
            ends = first == last
            after[rows[ends]] = self._end_in_word(low[ends], high[ends], first[ends], depth, targets[ends])
            rows, low, high = rows[~ends], first[~ends], last[~ends]
        after[rows] = np.stack((low, high, np.full(len(rows), MAX_DEPTH)), axis=-1)
        return after.reshape(*tokens.shape, 3)

    def _query(self, tokens: NDArray[Any], matches: Ints) -> NDArray[Any]:
        """Return (B, MAX_DEPTH + T) in the format of the index's text: the matched characters, then the tokens."""
        low, _, length = matches.T[:, :, None]
        back = np.arange(-MAX_DEPTH, 0)
        known = self.text.take(self.places.take(low, mode="clip") + self.per_word + back, mode="clip")
        old = np.where(back >= -length, known, len(self.starts))  # V + 1 occurs in no text
        return np.concatenate((old, tokens.astype(np.int64) + 1), axis=1).astype(self.text.dtype)

    def _narrow(self, low: Ints, high: Ints, depth: int, targets: Words, shift: Any = 0) -> tuple[Ints, Ints]:
        """Narrow ranges to positions whose word, ending `depth` characters back, is the target without its low bits."""
        shift = np.asarray(shift, np.uint64)
        targets = targets >> shift
        first = _bisect(low, high, lambda ranks: self._words_at(ranks, depth) >> shift < targets)
        return first, _bisect(first, high, lambda ranks: self._words_at(ranks, depth) >> shift <= targets)

    def _end_in_word(self, low: Ints, high: Ints, at: Ints, depth: int, targets: Words) -> Ints:
        """Return (B, 3) the matches that end within a word of rank `at`; neighbors in the order share the most."""
        bits, common = 8 * self.text.itemsize, np.zeros(len(at), np.int64)
        for ranks in (at - 1, at):
            other = self._words_at(ranks, depth) ^ targets
            same = sum((other >> np.uint64(64 - bits * i) == 0).astype(np.int64) for i in range(1, self.per_word))
            common = np.where((low <= ranks) & (ranks < high), np.maximum(common, same), common)
        low, high = self._narrow(low, high, depth, targets, 64 - bits * common)
        low = np.minimum(low, len(self.places) - 1)  # always true, as is high > low, except in a damaged file
        return np.stack((low, np.maximum(high, low + 1), depth + common), axis=-1)

    def _words_at(self, ranks: Ints, depth: int) -> Words:
        """Return the words that end `depth` characters before positions."""
        words = _words(self.text)
        begins = self.places.take(ranks, mode="clip").astype(np.int64) - depth
        return words[np.minimum(np.maximum(begins, 0), len(words) - 1)]  # `take` would copy the unaligned array


def _words(text: NDArray[Any]) -> Words:
    """Return the word that starts at each character except the last ones; its newest character is most significant."""
    return np.ndarray((len(text) + 1 - WORD_BYTES // text.itemsize,), "<u8", text, strides=(text.itemsize,))


def _common(first: bytes, second: bytes) -> int:
    """Return the length of the common prefix of two byte strings."""
    length = min(len(first), len(second))
    differ = np.frombuffer(first, np.uint8, length) != np.frombuffer(second, np.uint8, length)
    return int(differ.argmax()) if differ.any() else length


def _bisect(low: Ints, high: Ints, before: Callable[[Ints], NDArray[np.bool_]]) -> Ints:
    """Return the first number of each range for which `before` is false: binary searches in all ranges at once."""
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        right = (low < high) & before(middle)
        low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
    return low
