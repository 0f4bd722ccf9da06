"""Reading and sampling from an n-gram model, B texts at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.errors import ModelError
from charrnn.models.language_model import State
from charrnn.models.ngram.draw import BackoffSampler, DistributionCache, sample_backoff
from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.trie import Ints, walk
from charrnn.models.stepper import Logits, Sampler, Stepper, TemperatureSampler, Tokens

LOOKUP_ERRORS = (IndexError, ValueError, OverflowError)
"""The exceptions of look-ups in a damaged model that was too large to be checked on loading."""


def damaged_file(error: Exception) -> ModelError:
    """Return the error shown to the user for one of LOOKUP_ERRORS."""
    return ModelError(f"the n-gram file is damaged ({error}); fit it again with `charrnn ngram`")


@contextmanager
def damage_reported() -> Iterator[None]:
    """Convert LOOKUP_ERRORS to a ModelError."""
    try:
        yield
    except LOOKUP_ERRORS as error:
        raise damaged_file(error) from error


class NgramStepper(Stepper):
    """The stepper of an n-gram model; at temperature 1 it samples all texts at once, with the same result.

    Args:
        orders: the trie levels of order 1, 2, …
        vocab_size: V.
        nodes: (B, order), the contexts at the end of the texts, as in the model's state.
        can_back_off: whether all weights are nonnegative, so that a draw can proceed from order to order.
    """

    def __init__(self, orders: Sequence[BackoffLevel], vocab_size: int, nodes: Ints, can_back_off: bool) -> None:
        self.orders, self.vocab_size, self.can_back_off = orders, vocab_size, can_back_off
        self._nodes: Ints | None = nodes
        self._samplers: list[BackoffSampler] = []
        self._cache: DistributionCache = {}
        self._draw: Sampler | None = None
        self._tempered: TemperatureSampler | None = None
        self._uniforms: list[Callable[[], float]] = []

    @property
    def state(self) -> State:
        return (torch.tensor(self._as_nodes()),)

    def read(self, tokens: Tokens) -> Logits:
        with damage_reported(), np.errstate(divide="ignore"):
            log_probs: NDArray[np.float64] = np.log([sampler.probabilities() for sampler in self._read(tokens)])
        return log_probs

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        """Read and sample; a draw for one text is only a dozen look-ups, so overhead is kept minimal."""
        if draw is not self._draw:
            self._draw, self._tempered = draw, draw if isinstance(draw, TemperatureSampler) else None
            self._uniforms = (
                [partial(self._tempered.uniform, row) for row in range(len(tokens))] if self._tempered else []
            )
        tempered = self._tempered
        if tempered is None or not self.can_back_off:
            return draw(self.read(tokens))
        try:
            if len(tokens) > 1 and tempered.temperature == 1:
                contexts, self._nodes = walk(self.orders, tokens[:, None] + 1, self._as_nodes())
                self._samplers = []
                nodes = [column[:, 0] for column in contexts]
                return sample_backoff(self.orders, nodes, tempered.uniforms(), self.vocab_size)
            pairs = zip(self._read(tokens), self._uniforms, strict=True)
            return np.array([sampler.draw(tempered.temperature, uniform) for sampler, uniform in pairs])
        except LOOKUP_ERRORS as error:
            raise damaged_file(error) from error

    def _read(self, tokens: Tokens) -> list[BackoffSampler]:
        if self._nodes is not None:
            rows = self._nodes.tolist()
            self._samplers = [BackoffSampler(self.orders, self.vocab_size, nodes, self._cache) for nodes in rows]
            self._nodes = None
        for sampler, token in zip(self._samplers, tokens.tolist(), strict=True):
            sampler.read(token)
        return self._samplers

    def _as_nodes(self) -> Ints:
        if self._nodes is None:
            return np.array([sampler.nodes for sampler in self._samplers])
        return self._nodes
