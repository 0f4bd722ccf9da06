"""Discounts that follow directly from the counts: maximum likelihood, Witten-Bell, Kneser-Ney.

All are described by Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling". Each
function is the `discounts` of a record in `config.SMOOTHINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.smoothing.backoff import Discounts
from charrnn.models.ngram.trie import Ints

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""KenLM's discounts for orders with too few counts to estimate them."""


def maximum_likelihood(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Return no discounts, as in Goldberg's model: relative frequencies in the longest context seen, 0 for the rest."""
    return lambda order, statistics: torch.zeros_like(statistics)


def witten_bell(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Reserve as much for unseen characters as the context has types: backoff = types / (types + total)."""

    def discounts(order: int, statistics: Tensor) -> Tensor:
        types = statistics[:3].sum(0, keepdim=True)
        return torch.cat((torch.zeros_like(statistics[:3]), types))

    return discounts


def kneser_ney(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Return interpolated Kneser-Ney discounts, one per order; lower orders count continuations."""
    return _by_order(orders, kneser_ney_discounts)


def modified_kneser_ney(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Return the modified Kneser-Ney discounts of Chen and Goodman, three per order."""
    return _by_order(orders, modified_kneser_ney_discounts)


def _by_order(orders: Sequence[CountLevel], estimate: Callable[[Ints], Sequence[float]]) -> Discounts:
    """Return discounts that depend only on the order.

    Args:
        orders: the counts.
        estimate: a function from n_1, n_2, n_3, n_4 (n_i: the number of n-grams with count i) to D_1, D_2, D_3.
    """
    n = [np.bincount(np.minimum(order.counts, 5), minlength=6)[1:5] for order in orders]
    parameters = torch.tensor([[*estimate(counts), 0.0] for counts in n], dtype=torch.double)
    return lambda order, statistics: parameters[order - 1][:, None].expand_as(statistics)


def kneser_ney_discounts(n: Ints) -> Sequence[float]:
    """Compute D = n_1 / (n_1 + 2 n_2) (Kneser and Ney 1995)."""
    discount = n[0] / (n[0] + 2 * n[1]) if n[0] and n[1] else FALLBACK_DISCOUNTS[0]
    return (discount, discount, discount)


def modified_kneser_ney_discounts(n: Ints) -> Sequence[float]:
    """Compute D_i = i − (i + 1) · D · n_{i+1} / n_i, if it is between 0 and i for all three."""
    if all(n):
        discount = n[0] / (n[0] + 2 * n[1])
        estimates = [i - (i + 1) * discount * n[i] / n[i - 1] for i in (1, 2, 3)]
        if all(0 <= estimate <= i for i, estimate in enumerate(estimates, 1)):
            return estimates
    return FALLBACK_DISCOUNTS
