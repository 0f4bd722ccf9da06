"""Embeddings of the last 2, 3, ... N characters, which are added to the embedding of the last one.

With them a network need not learn which letters form a word or a syllable before it learns what follows (compare
"Over-Tokenized Transformer", arXiv 2501.16975). Only n-grams that are frequent in the training text have an embedding,
so the table has no collisions and its size follows from the text.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from charrnn.errors import UsageError
from charrnn.models.language_model import State
from charrnn.models.stepper import Tokens

MIN_COUNT = 5
"""Minimum number of occurrences of an n-gram that gets an embedding."""
MAX_COUNTED = 1 << 22
"""Maximum number of characters in which n-grams are counted; of a longer text, evenly spread blocks are counted."""
BLOCKS = 64
"""Number of these blocks."""
MAX_KEY_BITS = 62
"""Maximum number of bits of a key."""
UNUSED = torch.iinfo(torch.int64).max
"""The key of an unused row, larger than all others."""


class NgramEmbedding(nn.Module):
    """The sum of the embeddings of the n-grams, 2 ≤ n ≤ N, that end at each position.

    The key of an n-gram is the number whose digits, in base V + 1, are its character ids plus 1. Row 0 of the table
    belongs to no n-gram: its key is 0, and it stays 0.

    Args:
        order: N, at least 2.
        dropout: probability with which an embedding is left out, in training mode only.
        rows: R, the number of n-grams with an embedding.
        vocab_size: V.
        size: D, the size of an embedding.

    Attributes:
        weight: (R + 1, D), 0 at first.
        keys: (R + 1,) int64, the sorted keys of the rows; `UNUSED` at the end if there are fewer n-grams.
        is_sparse: whether the gradient of `weight` is a sparse tensor, which is faster on a CPU.
    """

    keys: Tensor

    def __init__(self, order: int, rows: int, vocab_size: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_order(order, vocab_size)
        self.order, self.base, self.dropout, self.is_sparse = order, vocab_size + 1, dropout, False
        self.weight = nn.Parameter(torch.zeros(rows + 1, size))
        keys = torch.full((rows + 1,), UNUSED)
        keys[0] = 0
        self.register_buffer("keys", keys)

    @property
    def state_size(self) -> int:
        """The number of characters that the state holds: N − 1."""
        return self.order - 1

    def set_ngrams(self, keys: NDArray[np.int64]) -> None:
        """Give each of these n-grams a row; there are at most R, in ascending order (see `frequent_ngrams`)."""
        assert len(keys) < len(self.keys)
        self.keys[1 : 1 + len(keys)] = torch.from_numpy(keys)

    def forward(
        self, tokens: Tensor, state: Tensor, batch_rows: tuple[slice, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the sums of embeddings.

        Args:
            tokens: (B, T) characters.
            state: (B, N − 1) float32, the ids plus 1 of the characters before them; 0 before the start of a text.
            batch_rows: the rows among those of a larger batch, and the size of that batch, see `RecurrentModel.rows`.

        Returns:
            (B, T, D), and the state after the last character.
        """
        digits = torch.cat((state.long(), tokens + 1), dim=1)
        rows = self.rows(digits)
        if self.training and self.dropout:
            own, total = batch_rows or (slice(None), len(rows))
            kept = self.weight.new_empty(total, *rows.shape[1:]).bernoulli_(1 - self.dropout)[own]
            rows = rows * kept.long()
        flat = rows.flatten(0, 1)
        sums = functional.embedding_bag(flat, self.weight, mode="sum", padding_idx=0, sparse=self.is_sparse)
        if self.training and self.dropout:
            sums = sums / (1 - self.dropout)
        return sums.view(*tokens.shape, sums.shape[1]), digits[:, digits.shape[1] - self.state_size :].to(state.dtype)

    def rows(self, digits: Tensor) -> Tensor:
        """Return the rows of the n-grams that end at each position: (B, N − 1 + T) digits → (B, T, N − 1)."""
        length = digits.shape[1] - self.state_size
        newest = digits[:, self.state_size :]
        keys, power = [], 1
        key = newest
        for n in range(2, self.order + 1):
            oldest = digits[:, self.order - n : self.order - n + length]
            power *= self.base
            key = key + power * oldest
            keys.append(torch.where(oldest > 0, key, 0))  # no n-gram reaches beyond the start of a text
        wanted = torch.stack(keys, dim=2)
        places = torch.searchsorted(self.keys, wanted)
        return torch.where(self.keys[places.clamp_(max=len(self.keys) - 1)] == wanted, places, 0)

    def is_valid(self) -> bool:
        """Return whether the keys ascend from 0, and row 0 of the table is 0."""
        keys = self.keys
        ascends = (keys[1:] > keys[:-1]) | ((keys[1:] == UNUSED) & (keys[:-1] == UNUSED))
        return bool(keys[0] == 0 and ascends.all() and not self.weight[0].any())

    def copy_ngrams(self, source: NgramEmbedding, ids: dict[int, int]) -> None:
        """Copy the embeddings of another table whose characters have other ids; n-grams with other characters are lost.

        Args:
            source: the other table, with the same N, R and D.
            ids: for each id in the other table, the id in this one.
        """
        to_digit = np.zeros(source.base, np.int64)
        for old, new in ids.items():
            to_digit[old + 1] = new + 1
        rest, is_used = source.keys.cpu().numpy().copy(), source.keys.cpu().numpy() != UNUSED
        is_used[0], key, power = False, np.zeros_like(rest), 1
        for _ in range(source.order):
            digit = np.where(is_used, rest % source.base, 0)
            is_used &= (to_digit[digit] > 0) | (rest == 0)
            key += power * to_digit[digit]
            rest, power = rest // source.base, power * self.base
        rows = np.flatnonzero(is_used)
        rows = rows[np.argsort(key[rows])]
        with torch.no_grad():
            self.set_ngrams(key[rows])
            self.weight[1 : 1 + len(rows)] = source.weight[torch.from_numpy(rows)].to(self.weight.device)


class NgramEmbedder:
    """The inputs of a network's first layer for B texts that are read one character at a time, in numpy.

    Args:
        embedding: the embedding of the characters.
        ngrams: the embedding of the n-grams.
        state: the state of the network to continue from; None before the first character.
        batch_size: B.

    Attributes:
        size: D.
    """

    def __init__(self, embedding: nn.Embedding, ngrams: NgramEmbedding, state: State | None, batch_size: int) -> None:
        self._characters, self._ngrams = embedding.weight.detach().numpy(), ngrams.weight.detach().numpy()
        self._keys = ngrams.keys.numpy()
        self._powers = ngrams.base ** np.arange(ngrams.order)
        self._digits = np.zeros((batch_size, ngrams.order), np.int64)  # the newest first
        if state is not None:
            self._digits[:, :-1] = state[-1].numpy()[:, ::-1]
        self.size = embedding.embedding_dim

    def read(self, tokens: Tokens) -> NDArray[np.float32]:
        """Read a character of each text: (B,) tokens → (B, D)."""
        self._digits[:, 1:] = self._digits[:, :-1].copy()
        self._digits[:, 0] = tokens + 1
        keys = (self._digits * self._powers).cumsum(1)[:, 1:] * (self._digits[:, 1:] > 0)
        rows = self._keys.searchsorted(keys)
        rows[self._keys.take(rows, mode="clip") != keys] = 0
        inputs: NDArray[np.float32] = self._characters[tokens] + self._ngrams[rows].sum(1)
        return inputs

    @property
    def state(self) -> Tensor:
        """The last characters, as in the state of the network: (B, N − 1)."""
        return torch.from_numpy(self._digits[:, -2::-1].astype(np.float32))


def longest_order(vocab_size: int) -> int:
    """Return the length of the longest n-grams whose keys fit `MAX_KEY_BITS`."""
    return int(MAX_KEY_BITS / math.log2(vocab_size + 1))


def check_order(order: int, vocab_size: int) -> None:
    """Raise UsageError if a key of this many characters would have too many bits."""
    longest = longest_order(vocab_size)
    if order > longest:
        raise UsageError(
            f"--ngram-embedding {order}: with {vocab_size:,} different characters, n-grams may have at most {longest} "
            f"characters; use --ngram-embedding {longest}"
        )


def frequent_ngrams(
    ids: NDArray[Any], vocab_size: int, order: int, rows: int, min_count: int = MIN_COUNT
) -> NDArray[np.int64]:
    """Return the sorted keys of the most frequent n-grams of a text, 2 ≤ n ≤ `order`, at most `rows`.

    Among n-grams with equal counts, shorter ones come first, then smaller keys.

    Args:
        ids: (N,) the text.
        vocab_size: V.
        order: length of the longest n-grams.
        rows: maximum number of n-grams.
        min_count: minimum number of occurrences.
    """
    check_order(order, vocab_size)
    blocks = [ids]
    if len(ids) > MAX_COUNTED:
        length = MAX_COUNTED // BLOCKS
        blocks = [ids[begin : begin + length] for begin in np.linspace(0, len(ids) - length, BLOCKS, dtype=np.int64)]
    digits = [block.astype(np.int64) + 1 for block in blocks]
    keys, counts = [], []
    for n in range(2, order + 1):
        found, count = np.unique(
            np.concatenate([_keys(part, vocab_size + 1, n) for part in digits]), return_counts=True
        )
        keys.append(found[count >= min_count])
        counts.append(count[count >= min_count])
    all_keys = np.concatenate(keys)
    most = np.argsort(-np.concatenate(counts), kind="stable")[:rows]
    return np.sort(all_keys[most])


def _keys(digits: NDArray[np.int64], base: int, n: int) -> NDArray[np.int64]:
    """Return the keys of the n-grams of a text."""
    length = max(0, len(digits) - n + 1)
    keys = np.zeros(length, np.int64)
    for i in range(n):
        keys = keys * base + digits[i : i + length]
    return keys
