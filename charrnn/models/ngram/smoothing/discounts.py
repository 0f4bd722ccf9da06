"""The discounts of smoothings that need the counts alone: maximum likelihood, Witten-Bell, Kneser-Ney.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", has all of them. Each
function gives the `discounts` of a record in `config.SMOOTHINGS`.
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
"""KenLM's, for orders with too few counts to estimate discounts from."""


def maximum_likelihood(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Goldberg's: relative frequencies in the longest context that was seen, and nothing for all other characters."""
    return lambda order, statistics: torch.zeros_like(statistics)


def witten_bell(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """As much for the unseen as there are different characters: backoff = types / (types + total)."""

    def discounts(order: int, statistics: Tensor) -> Tensor:
        types = statistics[:3].sum(0, keepdim=True)
        return torch.cat((torch.zeros_like(statistics[:3]), types))

    return discounts


def kneser_ney(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Interpolated Kneser-Ney, with one discount for each order; lower orders count continuations."""
    return _by_order(orders, kneser_ney_discounts)


def modified_kneser_ney(orders: Sequence[CountLevel], *_: object) -> Discounts:
    """Chen and Goodman's, with three discounts for each order."""
    return _by_order(orders, modified_kneser_ney_discounts)


def _by_order(orders: Sequence[CountLevel], estimate: Callable[[Ints], Sequence[float]]) -> Discounts:
    """Discounts that depend on the order alone.

    Args:
        orders: the counts.
        estimate: from n_1, n_2, n_3, n_4 (how many n-grams of an order have that count) to D_1, D_2, D_3.
    """
    n = [np.bincount(np.minimum(order.counts, 5), minlength=6)[1:5] for order in orders]
    parameters = torch.tensor([[*estimate(counts), 0.0] for counts in n], dtype=torch.double)
    return lambda order, statistics: parameters[order - 1][:, None].expand_as(statistics)


def kneser_ney_discounts(n: Ints) -> Sequence[float]:
    """Kneser and Ney 1995: D = n_1 / (n_1 + 2 n_2)."""
    discount = n[0] / (n[0] + 2 * n[1]) if n[0] and n[1] else FALLBACK_DISCOUNTS[0]
    return (discount, discount, discount)


def modified_kneser_ney_discounts(n: Ints) -> Sequence[float]:
    """D_i = i − (i + 1) · D · n_{i+1} / n_i, where that lies between 0 and i."""
    if all(n):
        discount = n[0] / (n[0] + 2 * n[1])
        estimates = [i - (i + 1) * discount * n[i] / n[i - 1] for i in (1, 2, 3)]
        if all(0 <= estimate <= i for i, estimate in enumerate(estimates, 1)):
            return estimates
    return FALLBACK_DISCOUNTS
