"""Texts that an n-gram model writes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.errors import ModelError
from charrnn.models.language_model import State
from charrnn.models.ngram.sampling import BackoffSampler, DistributionCache, sample_backoff
from charrnn.models.ngram.smoothing.backoff import BackoffLevel
from charrnn.models.ngram.trie import Ints, walk
from charrnn.models.stepper import Draw, Logits, Stepper, TemperedDraw, Tokens

LOOKUP_ERRORS = (IndexError, ValueError, OverflowError)
"""What a look-up raises in a file too large to be checked when it was loaded."""


def damaged_file(error: Exception) -> ModelError:
    """The line for that."""
    return ModelError(f"the n-gram file is damaged ({error}); count its text again")


@contextmanager
def damage_reported() -> Iterator[None]:
    """Raise it as a ModelError."""
    try:
        yield
    except LOOKUP_ERRORS as error:
        raise damaged_file(error) from error


class NgramStepper(Stepper):
    """B texts: each a stream of its own, but at temperature 1 many are drawn at once, which gives the same characters.

    Args:
        orders: the entries of order 1, 2, …
        vocab_size: V.
        nodes: (B, order), the contexts that the texts end with, as the model's state has them.
        is_mixture: whether no weight is negative, so that each order can be drawn from by itself.
    """

    def __init__(self, orders: Sequence[BackoffLevel], vocab_size: int, nodes: Ints, is_mixture: bool) -> None:
        self.orders, self.vocab_size, self.is_mixture = orders, vocab_size, is_mixture
        self._nodes: Ints | None = nodes
        self._streams: list[BackoffSampler] = []
        self._kept: DistributionCache = {}
        self._draw: Draw | None = None
        self._tempered: TemperedDraw | None = None
        self._uniforms: list[Callable[[], float]] = []

    @property
    def state(self) -> State:
        """See Stepper."""
        return (torch.tensor(self._as_nodes()),)

    def read(self, tokens: Tokens) -> Logits:
        """See Stepper."""
        with damage_reported(), np.errstate(divide="ignore"):
            log_probs: NDArray[np.float64] = np.log([stream.probabilities() for stream in self._read(tokens)])
        return log_probs

    def draw_next(self, tokens: Tokens, draw: Draw) -> Tokens:
        """See Stepper. Of one text it is a dozen look-ups, beside which whatever else is done counts."""
        if draw is not self._draw:
            self._draw, self._tempered = draw, draw if isinstance(draw, TemperedDraw) else None
            self._uniforms = (
                [partial(self._tempered.uniform, row) for row in range(len(tokens))] if self._tempered else []
            )
        tempered = self._tempered
        if tempered is None or not self.is_mixture:
            return draw(self.read(tokens))
        try:
            if len(tokens) > 1 and tempered.temperature == 1:
                contexts, self._nodes = walk(self.orders, tokens[:, None] + 1, self._as_nodes())
                self._streams = []
                nodes = [found[:, 0] for found in contexts]
                return sample_backoff(self.orders, nodes, tempered.uniforms(), self.vocab_size)
            pairs = zip(self._read(tokens), self._uniforms, strict=True)
            return np.array([stream.draw(tempered.temperature, uniform) for stream, uniform in pairs])
        except LOOKUP_ERRORS as error:
            raise damaged_file(error) from error

    def _read(self, tokens: Tokens) -> list[BackoffSampler]:
        if self._nodes is not None:
            arrays = self._nodes.tolist()
            self._streams = [BackoffSampler(self.orders, self.vocab_size, nodes, self._kept) for nodes in arrays]
            self._nodes = None
        for stream, token in zip(self._streams, tokens.tolist(), strict=True):
            stream.read(token)
        return self._streams

    def _as_nodes(self) -> Ints:
        if self._nodes is None:
            return np.array([stream.nodes for stream in self._streams])
        return self._nodes
