"""Characters of a text as the counts of another text see them: what prediction in the common form needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.models.ngram.smoothing.methods import Rule, weights_and_backoffs


@dataclass(frozen=True)
class Events:
    """What one order knows of N characters that are to be predicted.

    Attributes:
        rows: (M,) those of the N whose context was seen.
        counts: (M,) the counts of their n-grams, double precision; 0 where those were not seen.
        of: (M,) the context of each.
        contexts: (4, C) what is known of the contexts, see smoothing.Rule.
    """

    rows: Tensor
    counts: Tensor
    of: Tensor
    contexts: Tensor


def predict(orders: Iterable[Events], rule: Rule, length: int, vocab_size: int) -> Tensor:
    """The probability of each character, by the common form of smoothing.py.

    Args:
        orders: the events of order 1, 2, …
        rule: of the smoothing; gradients flow through it.
        length: N.
        vocab_size: V.

    Returns:
        (N,) in double precision.
    """
    probabilities = torch.full((length,), 1 / vocab_size, dtype=torch.double)
    for k, events in enumerate(orders, 1):
        weights, backoffs = weights_and_backoffs(rule, k, events.counts, events.of, events.contexts)
        longer = weights + backoffs.index_select(0, events.of) * probabilities.index_select(0, events.rows)
        probabilities = probabilities.index_copy(0, events.rows, longer)
    return probabilities
