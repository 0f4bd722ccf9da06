"""From counts to probabilities, for every smoothing in one form.

    P_k(w | c) = weight(c, w) + backoff(c) · P_{k−1}(w | c without its oldest character)

and P_k = P_{k−1} where the context c was never seen; P_0 = 1 / V. The weight is 0 for n-grams that were never seen.
All smoothings but stupid back-off take from each count a discount D and add a concentration θ:

    weight = (count − D) / (total + θ)        backoff = (Σ D over the children of c + θ) / (total + θ)

What differs is only where D (for counts of 1, of 2, of 3 and more) and θ come from: that is a smoothing's `Rule`. Chen
and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", has them all but stupid back-off
(Brants et al. 2007); discount and concentration together are Pitman and Yor's process (Teh 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.ngram.counting.count import Counts
from charrnn.models.ngram.counting.tables import LEAST_SHARED, workers
from charrnn.models.ngram.trie import Entries, Ints

Reals = NDArray[np.float32]

STUPID_BACKOFF = 0.4
"""α of Brants et al."""
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""KenLM's, for orders with too few counts to estimate discounts from."""
BLOCK = 1 << 18
"""Entries smoothed at a time."""

Rule = Callable[[int, Tensor], Tensor]
"""Order and what is known of C contexts, (4, C) → D_1, D_2, D_3 and θ, (4, C), all in double precision.

Known is how many children have count 1, 2, and 3 or more, and the sum of the counts, which is not 0.
"""


@dataclass(frozen=True)
class Weighted(Entries):
    """The entries of one order with their part of the probabilities: arrays that may be memory-mapped.

    Attributes:
        weights: (E,) float32, see above.
        backoffs: (C,) float32, see above; 1 for contexts without children.
    """

    weights: Reals
    backoffs: Reals


def weights_and_backoffs(rule: Rule, order: int, counts: Tensor, of: Tensor, contexts: Tensor) -> tuple[Tensor, Tensor]:
    """The common form.

    Args:
        rule: of the smoothing.
        order: k.
        counts: (E,) of some n-grams, which may be 0.
        of: (E,) the context of each.
        contexts: (4, C) what is known of the contexts.

    Returns:
        (E,) and (C,).
    """
    parameters = rule(order, contexts)
    discounts, concentration = torch.cat((torch.zeros_like(parameters[:1]), parameters[:3])), parameters[3]
    totals = contexts[3] + concentration
    backoffs = ((discounts[1:] * contexts[:3]).sum(0) + concentration) / totals
    taken = discounts.flatten().index_select(0, counts.clamp(max=3).long() * contexts.shape[1] + of)
    return (counts - taken) / totals.index_select(0, of), backoffs


def smooth(orders: Sequence[Counts], rule: Rule) -> list[Weighted]:
    """Weights and backoffs of every order.

    Args:
        orders: the counts of order 1, 2, …
        rule: of the smoothing.
    """
    return [_smooth(k, order, rule) for k, order in enumerate(orders, 1)]


def _smooth(k: int, order: Counts, rule: Rule) -> Weighted:
    weights = np.empty(len(order), np.float32)
    backoffs = np.empty(len(order.starts) - 1, np.float32)

    def smooth_block(low: int, high: int) -> None:
        """The contexts from `low` to `high`."""
        starts = order.starts[low : high + 1]
        counts = order.counts[starts[0] : starts[-1]]
        of = np.repeat(np.arange(high - low), np.diff(starts))
        known = what_is_known(counts, of, high - low)
        # A context without children, or with the padding for its only one, knows nothing.
        empty = known[3] == 0
        known[0, empty] = known[3, empty] = 1
        found = weights_and_backoffs(rule, k, *map(torch.from_numpy, (counts.astype(np.float64), of, known)))
        weights[starts[0] : starts[-1]], backoffs[low:high] = (one.numpy() for one in found)
        if empty.any():
            weights[starts[0] : starts[-1]][empty[of]] = 0
            backoffs[low:high][empty] = 1

    # Blocks end where the children of a context end.
    cuts = np.unique(np.searchsorted(order.starts, np.arange(BLOCK, len(order), BLOCK)))
    blocks = list(pairwise([0, *cuts, len(backoffs)]))
    if len(order) < LEAST_SHARED:
        for low, high in blocks:
            smooth_block(low, high)
    else:
        with ThreadPoolExecutor(workers()) as pool:
            list(pool.map(smooth_block, *zip(*blocks, strict=True)))
    return Weighted(order.tokens, order.starts, weights, backoffs)


def what_is_known(counts: NDArray[Any], of: Ints, contexts: int) -> NDArray[np.float64]:
    """(4, C): of the children of each context, how many have count 1, 2, and 3 or more; and the sum of the counts.

    Args:
        counts: (E,) of the children.
        of: (E,) the context of each, from 0 to C − 1.
        contexts: C.
    """
    classes = np.bincount(4 * of + np.minimum(counts, 3).astype(np.int64), minlength=4 * contexts).reshape(-1, 4)
    return np.stack((*classes.T[1:].astype(np.float64), np.bincount(of, weights=counts, minlength=contexts)))


def maximum_likelihood(order: int, contexts: Tensor) -> Tensor:
    """Goldberg's: the shares of what was seen, in the longest context that was seen, and nothing for the rest."""
    return torch.zeros_like(contexts)


def witten_bell(order: int, contexts: Tensor) -> Tensor:
    """As much for the unseen as there are different characters: backoff = types / (types + total)."""
    types = contexts[:3].sum(0, keepdim=True)
    return torch.cat((torch.zeros_like(contexts[:3]), types))


def kneser_ney(orders: Sequence[Counts], discounts_of: Callable[[Ints], Sequence[float]]) -> Rule:
    """Interpolated Kneser-Ney: what is discounted goes to the order below, which counts continuations.

    Args:
        orders: the counts.
        discounts_of: from n_1, n_2, n_3, n_4 (how many n-grams of an order have that count) to D_1, D_2, D_3.
    """
    n = [np.bincount(np.minimum(order.counts, 5), minlength=6)[1:5] for order in orders]
    fixed = torch.tensor([[*discounts_of(one), 0.0] for one in n], dtype=torch.double)
    return lambda order, contexts: fixed[order - 1][:, None].expand_as(contexts)


def one_discount(n: Ints) -> Sequence[float]:
    """Kneser and Ney 1995: D = n_1 / (n_1 + 2 n_2)."""
    discount = n[0] / (n[0] + 2 * n[1]) if n[0] and n[1] else FALLBACK_DISCOUNTS[0]
    return (discount, discount, discount)


def three_discounts(n: Ints) -> Sequence[float]:
    """Chen and Goodman's: D_i = i − (i + 1) · D · n_{i+1} / n_i, where that lies between 0 and i."""
    if all(n):
        discount = n[0] / (n[0] + 2 * n[1])
        found = [i - (i + 1) * discount * n[i] / n[i - 1] for i in (1, 2, 3)]
        if all(0 <= one <= i for i, one in enumerate(found, 1)):
            return found
    return FALLBACK_DISCOUNTS


def stupid_backoff(orders: Sequence[Counts], vocab_size: int) -> list[Weighted]:
    """S_k(w | c) = share of w after c if it was seen there, else α · S_{k−1}(w | c'); divided by its sum over all w.

    Raw stupid back-off does not sum to 1. Its sum Z_k(c) = 1 + α (Z_{k−1}(c') − Σ S_{k−1}(w | c') over w seen after c)
    is known for every context, which turns it into the common form: weight = (share − α S_{k−1}) / Z_k and
    backoff = α Z_{k−1} / Z_k. The weight may be negative.

    Args:
        orders: how often n-grams occur.
        vocab_size: V.
    """
    levels: list[Weighted] = []
    shares, sums = np.full(1, 1 / vocab_size), np.ones(1)
    shorter = np.zeros(1, np.int64)  # of each context, what it is without its oldest character
    for k, order in enumerate(orders, 1):
        totals = order.sum_children(order.counts)
        of = order.of_contexts(np.arange(len(totals)))
        with np.errstate(invalid="ignore"):
            share = np.nan_to_num(order.counts / totals[of])
        if k == 1:
            endings = np.zeros(len(order), np.int64)
        else:
            endings = orders[k - 2].find(shorter[of], order.tokens.astype(np.int64))
        below = np.where(order.counts > 0, shares[endings], 0.0)
        sum_here = 1 + STUPID_BACKOFF * (sums[shorter] - order.sum_children(below))
        weights = (share - STUPID_BACKOFF * below) / sum_here[of]
        backoffs = np.where(totals > 0, STUPID_BACKOFF * sums[shorter] / sum_here, 1.0)
        levels.append(Weighted(order.tokens, order.starts, weights.astype(np.float32), backoffs.astype(np.float32)))
        shares, sums, shorter = share, sum_here, endings
    return levels
