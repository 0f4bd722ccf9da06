"""The n-gram language model: probabilities from the trie of all n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import NgramConfig
from charrnn.models.kernels.ngram_order import add_order
from charrnn.models.language_model import State
from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.stepper import NgramStepper, damage_reported
from charrnn.models.ngram.trie import NOT_FOUND, Ints, walk

MAX_PROBABILITIES = 1 << 22
"""The maximum number of probabilities computed at once."""
MAX_CHECKED_ENTRIES = 1 << 22
"""The largest number of entries that is checked completely on loading; in larger models, look-ups check themselves."""


class NgramModel:
    """A language model of n-grams, given the trie levels of order 1, 2, …

    The state is one (B, order) int64 tensor: the trie entries of the contexts of 0, 1, … order − 1 characters at the
    end of the text, NOT_FOUND for unseen ones. The text is preceded by padding, so all entries are 0 at its start.
    """

    def __init__(self, config: NgramConfig, vocab_size: int, orders: Sequence[BackoffLevel]) -> None:
        self.config, self.vocab_size, self.orders = config, vocab_size, orders

    @property
    def entries(self) -> int:
        """The number of stored n-grams of all orders, without the padding."""
        return sum(len(order.tokens) - 1 for order in self.orders)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint must store, by name."""
        return {
            f"{k}.{name}": torch.from_numpy(np.ascontiguousarray(getattr(order, name)))
            for k, order in enumerate(self.orders, 1)
            for name in NAMES
        }

    @classmethod
    def from_tensors(cls, config: NgramConfig, vocab_size: int, tensors: dict[str, Tensor]) -> NgramModel:
        """Return the model of these tensors (the inverse of `tensors`); the arrays are not copied.

        Raises:
            ValueError: the tensors do not form a model; the message names the first invalid one.
        """
        orders, contexts = [], 1
        if not config.order:
            raise ValueError("model.order: expected a number, found none")
        for k in range(1, config.order + 1):
            order = BackoffLevel(*(_array(tensors, f"{k}.{name}") for name in NAMES))
            _check_sizes(order, k, contexts)
            orders.append(order)
            contexts = len(order.tokens)
        if len(tensors) != config.order * len(NAMES):
            raise ValueError(f"expected the tensors of {config.order} orders, found {len(tensors)} tensors")
        model = cls(config, vocab_size, orders)
        if model.entries <= MAX_CHECKED_ENTRIES:
            for k, order in enumerate(orders, 1):
                _check_values(order, k, vocab_size, low=-1 if config.method.has_negative_weights else 0)
        return model

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read characters; the logits are log-probabilities."""
        with damage_reported():
            contexts, state = self._read(tokens, state)
            flat = [nodes.ravel() for nodes in contexts]
            size = max(1, MAX_PROBABILITIES // self.vocab_size)
            pieces = (slice(begin, begin + size) for begin in range(0, tokens.numel(), size))
            log_probs = [self._log_probs([nodes[piece] for nodes in flat]) for piece in pieces]
        shape = (*tokens.shape, self.vocab_size)
        return torch.from_numpy(np.concatenate(log_probs)).reshape(shape), state

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Look up the targets only, not all V characters."""
        with damage_reported():
            contexts, state = self._read(tokens, state)
            target_tokens = targets.cpu().numpy() + 1
            # In a text, each target is the token read next, so the walk has already found most entries.
            is_text = torch.equal(targets[:, :-1], tokens[:, 1:])
            p = np.full(target_tokens.shape, 1 / self.vocab_size)
            for k, (order, nodes) in enumerate(zip(self.orders, contexts, strict=True), 1):
                if is_text and k < len(contexts):
                    last = order.find(nodes[:, -1:], target_tokens[:, -1:])
                    entries = np.concatenate((contexts[k][:, 1:], last), axis=1)
                else:
                    entries = order.find(nodes, target_tokens)
                p *= np.where(nodes == NOT_FOUND, 1.0, order.backoffs[nodes])
                p += np.where(entries == NOT_FOUND, 0.0, order.weights[entries])
        # Negative weights (stupid back-off) may give sums slightly below 0.
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(np.maximum(p, 0)).astype(np.float32)), state

    def make_stepper(self, state: State | None, batch_size: int) -> NgramStepper:
        nodes = np.zeros((batch_size, len(self.orders)), np.int64) if state is None else state[0].numpy()
        return NgramStepper(self.orders, self.vocab_size, nodes, not self.config.method.has_negative_weights)

    def _read(self, tokens: Tensor, state: State | None) -> tuple[list[Ints], State]:
        """Return the contexts at each position, (B, T) per order, and the state after the last."""
        contexts, after = walk(self.orders, tokens.cpu().numpy() + 1, None if state is None else state[0].numpy())
        return contexts, (torch.from_numpy(after),)

    def _log_probs(self, contexts: list[Ints]) -> NDArray[np.float32]:
        """Compute (N, V) log-probabilities from the entries of the contexts, (N,) per order."""
        p = np.full((len(contexts[0]), self.vocab_size + 1), 1 / self.vocab_size)
        for order, entries in zip(self.orders, contexts, strict=True):
            if add_order(entries, order.starts, order.tokens, order.weights, order.backoffs, p):
                continue
            known = np.flatnonzero(entries != NOT_FOUND)
            nodes = entries[known]
            p[known] *= order.backoffs[nodes, None]
            owners, children = order.children(nodes, self.vocab_size + 1)
            p[known[owners], order.tokens[children]] += order.weights[children]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float32] = np.log(np.maximum(p[:, 1:], 0)).astype(np.float32)
        return log_probs


NAMES = ("tokens", "starts", "weights", "backoffs")
"""The names of an order's arrays in a checkpoint."""
TOLERANCE = 1e-4
"""The distance by which a float32 probability may lie outside [0, 1]."""


def _array(tensors: dict[str, Tensor], name: str) -> NDArray[Any]:
    if name not in tensors:
        raise ValueError(f"{name} is missing")
    tensor = tensors[name]
    is_real, integers = name.endswith(("weights", "backoffs")), (torch.uint8, torch.int16, torch.int32, torch.int64)
    if tensor.ndim != 1 or tensor.dtype not in ((torch.float32,) if is_real else integers):
        expected, actual = "float32" if is_real else "integers", str(tensor.dtype).removeprefix("torch.")
        raise ValueError(f"{name}: expected {expected} in 1 dimension, found {actual} in {tensor.ndim}")
    # Copies if the numbers are misaligned (after a header of odd length), because memoryviews need alignment.
    return np.require(tensor.numpy(), requirements="A")


def _check_sizes(order: BackoffLevel, k: int, contexts: int) -> None:
    """Raise ValueError unless the arrays of order k fit each other and the contexts of the order below."""
    entries = len(order.tokens)
    sizes = {"tokens": max(entries, 1), "starts": contexts + 1, "weights": entries, "backoffs": contexts}
    for name, expected in sizes.items():
        size = len(getattr(order, name))
        if size != expected:
            raise ValueError(f"{k}.{name}: expected {expected} numbers, found {size}")


def _check_values(order: BackoffLevel, k: int, vocab_size: int, low: int) -> None:
    """Raise ValueError unless the values of order k are in range (weights from `low`), so look-ups stay in bounds."""
    entries = len(order.tokens)
    _check_range(f"{k}.starts", order.starts, 0, entries)
    sizes = np.diff(order.starts.astype(np.int64), prepend=0, append=entries)
    if sizes.min() < 0 or sizes[0] or sizes[-1]:
        raise ValueError(f"{k}.starts: expected numbers increasing from 0 to {entries}, found others")
    _check_range(f"{k}.tokens", order.tokens, 0, vocab_size)
    _check_range(f"{k}.weights", order.weights, low, 1, TOLERANCE)
    _check_range(f"{k}.backoffs", order.backoffs, low, 1, TOLERANCE)


def _check_range(name: str, array: NDArray[Any], low: int, high: int, tolerance: float = 0) -> None:
    """Raise ValueError unless all values are between `low` and `high`, within a tolerance."""
    for extreme in (array.min(), array.max()):
        if not low - tolerance <= extreme <= high + tolerance:  # NaN fails both comparisons
            raise ValueError(f"{name}: expected numbers from {low} to {high}, found {extreme}")
