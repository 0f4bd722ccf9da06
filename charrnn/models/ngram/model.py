"""The n-gram language model: probabilities from the trie of all n-grams; knows nothing of text or sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import NgramConfig
from charrnn.models.language_model import State
from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.stepper import NgramStepper, damage_reported
from charrnn.models.ngram.trie import NOT_FOUND, Ints, walk

MAX_PROBABILITIES = 1 << 22
"""Probabilities that are computed together."""
MAX_CHECKED_ENTRIES = 1 << 22
"""A file of at most this many entries is checked in full when it is loaded; in a larger one look-ups check."""


class NgramModel:
    """A language model of counted n-grams, from the entries of order 1, 2, …

    Its state is one (B, order) int64 tensor: the contexts of 0, 1, … order − 1 characters that the text ends with, as
    their entries in the trie, and NOT_FOUND for those that were never seen. Before a text all of it is padding: zeros.
    """

    def __init__(self, config: NgramConfig, vocab_size: int, orders: Sequence[BackoffLevel]) -> None:
        self.config, self.vocab_size, self.orders = config, vocab_size, orders

    @property
    def entries(self) -> int:
        """How many n-grams are stored, all orders together, the padding not counted."""
        return sum(len(order.tokens) - 1 for order in self.orders)

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint must hold, by name."""
        return {
            f"{k}.{name}": torch.from_numpy(np.ascontiguousarray(getattr(order, name)))
            for k, order in enumerate(self.orders, 1)
            for name in NAMES
        }

    @classmethod
    def from_tensors(cls, config: NgramConfig, vocab_size: int, tensors: dict[str, Tensor]) -> NgramModel:
        """The inverse of `tensors`; the arrays are used where they are.

        Raises:
            ValueError: the tensors do not make a model; the message names the first that is wrong.
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
        """The logits are log-probabilities."""
        with damage_reported():
            contexts, state = self._read(tokens, state)
            flat = [nodes.ravel() for nodes in contexts]
            size = max(1, MAX_PROBABILITIES // self.vocab_size)
            pieces = (slice(begin, begin + size) for begin in range(0, tokens.numel(), size))
            log_probs = [self._log_probs([nodes[piece] for nodes in flat]) for piece in pieces]
        shape = (*tokens.shape, self.vocab_size)
        return torch.from_numpy(np.concatenate(log_probs)).reshape(shape), state

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Looks up the targets alone."""
        with damage_reported():
            contexts, state = self._read(tokens, state)
            wanted = targets.cpu().numpy() + 1
            # In a text each target is the token that is read next, so the walk has found its entries already.
            is_text = torch.equal(targets[:, :-1], tokens[:, 1:])
            p = np.full(wanted.shape, 1 / self.vocab_size)
            for k, (order, nodes) in enumerate(zip(self.orders, contexts, strict=True), 1):
                if is_text and k < len(contexts):
                    last = order.find(nodes[:, -1:], wanted[:, -1:])
                    entries = np.concatenate((contexts[k][:, 1:], last), axis=1)
                else:
                    entries = order.find(nodes, wanted)
                p *= np.where(nodes == NOT_FOUND, 1.0, order.backoffs[nodes])
                p += np.where(entries == NOT_FOUND, 0.0, order.weights[entries])
        # Negative weights (stupid back-off) may sum to a hair below 0.
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(np.maximum(p, 0)).astype(np.float32)), state

    def make_stepper(self, state: State | None, batch_size: int) -> NgramStepper:
        nodes = np.zeros((batch_size, len(self.orders)), np.int64) if state is None else state[0].numpy()
        return NgramStepper(self.orders, self.vocab_size, nodes, not self.config.method.has_negative_weights)

    def _read(self, tokens: Tensor, state: State | None) -> tuple[list[Ints], State]:
        """The contexts at each place, (B, T) each, and the state after the last."""
        contexts, after = walk(self.orders, tokens.cpu().numpy() + 1, None if state is None else state[0].numpy())
        return contexts, (torch.from_numpy(after),)

    def _log_probs(self, contexts: list[Ints]) -> NDArray[np.float32]:
        """(N, V) from the entries of the contexts, (N,) each."""
        p = np.full((len(contexts[0]), self.vocab_size + 1), 1 / self.vocab_size)
        for order, entries in zip(self.orders, contexts, strict=True):
            known = np.flatnonzero(entries != NOT_FOUND)
            nodes = entries[known]
            p[known] *= order.backoffs[nodes, None]
            owners, children = order.children(nodes, self.vocab_size + 1)
            p[known[owners], order.tokens[children]] += order.weights[children]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float32] = np.log(np.maximum(p[:, 1:], 0)).astype(np.float32)
        return log_probs


NAMES = ("tokens", "starts", "weights", "backoffs")
"""The names of an order's arrays in a file."""
TOLERANCE = 1e-4
"""How far a probability in float32 may be outside 0 to 1."""


def _array(tensors: dict[str, Tensor], name: str) -> NDArray[Any]:
    if name not in tensors:
        raise ValueError(f"{name} is missing")
    tensor = tensors[name]
    is_real, integers = name.endswith(("weights", "backoffs")), (torch.uint8, torch.int16, torch.int32, torch.int64)
    if tensor.ndim != 1 or tensor.dtype not in ((torch.float32,) if is_real else integers):
        expected, found = "float32" if is_real else "integers", str(tensor.dtype).removeprefix("torch.")
        raise ValueError(f"{name}: expected {expected} in 1 dimension, found {found} in {tensor.ndim}")
    # A copy, where a header of an odd length has put numbers at odd places, for which there is no memoryview.
    return np.require(tensor.numpy(), requirements="A")


def _check_sizes(order: BackoffLevel, k: int, contexts: int) -> None:
    """Raise ValueError unless the arrays of order k fit each other and the contexts below."""
    entries = len(order.tokens)
    sizes = {"tokens": max(entries, 1), "starts": contexts + 1, "weights": entries, "backoffs": contexts}
    for name, expected in sizes.items():
        size = len(getattr(order, name))
        if size != expected:
            raise ValueError(f"{k}.{name}: expected {expected} numbers, found {size}")


def _check_values(order: BackoffLevel, k: int, vocab_size: int, low: int) -> None:
    """Raise ValueError unless the numbers of order k are in range (weights from `low`): look-ups then stay inside."""
    entries = len(order.tokens)
    _check_range(f"{k}.starts", order.starts, 0, entries)
    sizes = np.diff(order.starts.astype(np.int64), prepend=0, append=entries)
    if sizes.min() < 0 or sizes[0] or sizes[-1]:
        raise ValueError(f"{k}.starts: expected numbers that rise from 0 to {entries}, found others")
    _check_range(f"{k}.tokens", order.tokens, 0, vocab_size)
    _check_range(f"{k}.weights", order.weights, low, 1, TOLERANCE)
    _check_range(f"{k}.backoffs", order.backoffs, low, 1, TOLERANCE)


def _check_range(name: str, array: NDArray[Any], low: int, high: int, tolerance: float = 0) -> None:
    """Raise ValueError unless all numbers are from `low` to `high`, give or take a tolerance."""
    for extreme in (array.min(), array.max()):
        if not low - tolerance <= extreme <= high + tolerance:  # NaN fails both comparisons
            raise ValueError(f"{name}: expected numbers from {low} to {high}, found {extreme}")
