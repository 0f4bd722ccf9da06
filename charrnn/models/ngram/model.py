"""The n-gram language model: a trie in flat arrays, and the walk through it; knows nothing of text or sampling.

The entries of order k, sorted by context, are the children of the entries of order k − 1, and their number is their
place in that order. So the context of k characters that ends at a place is found from the one of k − 1 characters that
ended at the place before, by looking for one character among the children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import NgramConfig
from charrnn.models.language_model import State
from charrnn.models.ngram.counting import Ints, Progress, count_ngrams
from charrnn.models.ngram.smoothing import smooth

ABSENT = -1
"""Stands for the entry of an n-gram that was never seen."""
MOST_PROBABILITIES = 1 << 22
"""How many are spread out at a time."""


@dataclass(frozen=True)
class _Order:
    """The entries of one order: arrays that may be memory-mapped.

    Attributes:
        tokens: (E,) the last character of each, shifted up by one; 0 is the padding.
        starts: (C + 1,) where the children of each context begin.
        weights: (E,) float32, see smoothing.py.
        backoffs: (C,) float32, see smoothing.py.
    """

    tokens: NDArray[Any]
    starts: NDArray[Any]
    weights: NDArray[np.float32]
    backoffs: NDArray[np.float32]

    def find(self, contexts: Ints, tokens: Ints) -> Ints:
        """The entry of each context with each token, both of one shape; ABSENT where there is none.

        A binary search in all children's ranges at once.
        """
        found = np.full(contexts.shape, ABSENT, np.int64)
        known = np.nonzero(contexts != ABSENT)
        wanted, low = tokens[known], self.starts[contexts[known]].astype(np.int64)
        end = self.starts[contexts[known] + 1].astype(np.int64)
        high = end.copy()
        for _ in range(int((end - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            right = (middle < high) & (self.tokens[np.minimum(middle, len(self.tokens) - 1)] < wanted)
            low = np.where(right, middle + 1, low)
            high = np.where(right, high, middle)
        hit = (low < end) & (self.tokens[np.minimum(low, len(self.tokens) - 1)] == wanted)
        found[known] = np.where(hit, low, ABSENT)
        return found


class NgramModel:
    """A language model of counted n-grams.

    Its state is one (B, order − 1) int64 tensor: the last characters, shifted up by one, with 0 for the padding before
    the start of the text.

    Args:
        config: order and smoothing.
        vocab_size: V.
        orders: the entries of order 1, 2, …
    """

    def __init__(self, config: NgramConfig, vocab_size: int, orders: list[_Order]) -> None:
        self.config, self.vocab_size, self.orders = config, vocab_size, orders

    @classmethod
    def fit(
        cls,
        ids: NDArray[Any],
        vocab_size: int,
        config: NgramConfig,
        progress: Progress | None = None,
    ) -> NgramModel:
        """Count a text and smooth the counts.

        Args:
            ids: (N,) the training part, N ≥ 1.
            vocab_size: V.
            config: order and smoothing.
            progress: told the orders counted, and of how many.

        Raises:
            UsageError: the order is too large for the vocabulary.
        """
        tables = count_ngrams(ids, vocab_size, config.order, progress)
        orders = []
        for table, level in zip(tables, smooth(tables, vocab_size, config.smoothing), strict=True):
            tokens = (table.keys % (vocab_size + 1)).astype(_signed_or_byte(vocab_size))
            starts = level.starts.astype(_signed_or_byte(len(tokens)))
            weights, backoffs = (x.astype(np.float32) for x in (level.weights, level.backoffs))
            orders.append(_Order(tokens, starts, weights, backoffs))
        return cls(config, vocab_size, orders)

    @property
    def entries(self) -> int:
        """How many n-grams are stored, all orders together, the padding not counted."""
        return sum(len(order.tokens) - 1 for order in self.orders)

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold, by name."""
        return {
            f"{k}.{name}": torch.from_numpy(np.ascontiguousarray(array))
            for k, order in enumerate(self.orders, 1)
            for name, array in vars(order).items()
        }

    @classmethod
    def from_tensors(cls, config: NgramConfig, vocab_size: int, tensors: dict[str, Tensor]) -> NgramModel:
        """The inverse of `tensors`; the arrays are used where they are.

        Raises:
            ValueError: the tensors do not make a model; the message names the first that is wrong.
        """
        orders, contexts = [], 1
        for k in range(1, config.order + 1):
            order = _Order(*(_array(tensors, f"{k}.{name}") for name in _Order.__annotations__))
            _check_order(order, k, contexts, vocab_size)
            orders.append(order)
            contexts = len(order.tokens)
        if len(tensors) != config.order * len(_Order.__annotations__):
            raise ValueError(f"expected the tensors of {config.order} orders, found {len(tensors)} tensors")
        return cls(config, vocab_size, orders)

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__; the logits are log-probabilities."""
        history, state = self._read(tokens, state)
        contexts = [found.ravel() for found in self._contexts(history)]
        piece = max(1, MOST_PROBABILITIES // self.vocab_size)
        log_probs = [
            self._log_probs([found[i : i + piece] for found in contexts]) for i in range(0, len(contexts[0]), piece)
        ]
        shape = (*tokens.shape, self.vocab_size)
        return torch.from_numpy(np.concatenate(log_probs)).reshape(shape), state

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See the function of this name; looks up the targets alone."""
        history, state = self._read(tokens, state)
        wanted = targets.cpu().numpy() + 1
        p = np.full(wanted.shape, 1 / self.vocab_size)
        for order, contexts in zip(self.orders, self._contexts(history), strict=True):
            entries = order.find(contexts, wanted)
            p *= np.where(contexts == ABSENT, 1.0, order.backoffs[contexts])
            p += np.where(entries == ABSENT, 0.0, order.weights[entries])
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(p).astype(np.float32)), state

    def _read(self, tokens: Tensor, state: State | None) -> tuple[Ints, State]:
        """The characters before and at each place, (B, order − 1 + T), and the state after the last."""
        before = self.config.order - 1
        if state is None:
            state = (torch.zeros(tokens.shape[0], before, dtype=torch.int64),)
        history = torch.cat((state[0], tokens.cpu() + 1), dim=1)
        return history.numpy(), (history[:, history.shape[1] - before :].clone(),)

    def _contexts(self, history: Ints) -> list[Ints]:
        """The entries of the contexts of 0, 1, … order − 1 characters that end at each place, (B, T) each."""
        length = history.shape[1] - (self.config.order - 1)
        found = np.zeros(history.shape, np.int64)
        contexts = [found[:, -length:]]
        for order in self.orders[:-1]:
            before = np.concatenate((found[:, :1], found[:, :-1]), axis=1)
            if order is not self.orders[0]:
                before[:, 0] = ABSENT  # nothing is known of what came before the history
            found = order.find(before, history)
            contexts.append(found[:, -length:])
        return contexts

    def _log_probs(self, contexts: list[Ints]) -> NDArray[np.float32]:
        """(N, V) from the entries of the contexts, (N,) each."""
        rows = len(contexts[0])
        p = np.full((rows, self.vocab_size + 1), 1 / self.vocab_size)
        for order, entries in zip(self.orders, contexts, strict=True):
            known = np.flatnonzero(entries != ABSENT)
            nodes = entries[known]
            p[known] *= order.backoffs[nodes, None]
            first = order.starts[nodes].astype(np.int64)
            sizes = order.starts[nodes + 1] - first
            # Every child of every node: count up from each node's first child.
            skipped = np.cumsum(sizes) - sizes
            children = np.arange(sizes.sum()) + np.repeat(first - skipped, sizes)
            p[np.repeat(known, sizes), order.tokens[children]] += order.weights[children]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float32] = np.log(p[:, 1:]).astype(np.float32)
        return log_probs


def _signed_or_byte(largest: int) -> type[np.integer[Any]]:
    """The smallest integer type that holds the number and that every tensor library knows."""
    for kind in (np.uint8, np.int16, np.int32):
        if largest <= np.iinfo(kind).max:
            return kind
    return np.int64


def _array(tensors: dict[str, Tensor], name: str) -> NDArray[Any]:
    if name not in tensors:
        raise ValueError(f"{name} is missing")
    array: NDArray[Any] = tensors[name].numpy()
    kinds = "f" if name.endswith(("weights", "backoffs")) else "iu"
    if array.ndim != 1 or array.dtype.kind not in kinds:
        expected = "real numbers" if kinds == "f" else "integers"
        raise ValueError(f"{name}: expected {expected} in 1 dimension, found {array.dtype} in {array.ndim}")
    return array


def _check_order(order: _Order, k: int, contexts: int, vocab_size: int) -> None:
    """Raise ValueError unless the arrays of order k fit each other, the contexts below and the vocabulary.

    So no look-up leaves the arrays, whoever wrote them.
    """
    entries = len(order.tokens)
    for name, found, expected in (
        ("starts", len(order.starts), contexts + 1),
        ("weights", len(order.weights), entries),
        ("backoffs", len(order.backoffs), contexts),
    ):
        if found != expected:
            raise ValueError(f"{k}.{name}: expected {expected} numbers, found {found}")
    sizes = np.diff(order.starts.astype(np.int64), prepend=0, append=entries)
    if sizes.min() < 0 or sizes[0] or sizes[-1]:
        raise ValueError(f"{k}.starts: expected numbers that rise from 0 to {entries}, found others")
    if not entries or order.tokens.min() < 0 or order.tokens.max() > vocab_size:
        raise ValueError(f"{k}.tokens: expected numbers from 0 to {vocab_size}, found others")
    for name, array in (("weights", order.weights), ("backoffs", order.backoffs)):
        if not np.isfinite(array).all():
            raise ValueError(f"{k}.{name}: expected finite numbers, found others")
