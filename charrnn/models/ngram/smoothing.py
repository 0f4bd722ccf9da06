"""From counts to probabilities, for every smoothing in one form.

    P_k(w | c) = weight(c, w) + backoff(c) · P_{k−1}(w | c without its oldest character)

and P_k = P_{k−1} where the context c was never seen; P_0 = 1 / V. The weight is 0 for n-grams that were never seen.
What differs between smoothings is only where weight and backoff come from. Chen and Goodman 1998, "An Empirical Study
of Smoothing Techniques for Language Modeling", has them all but stupid back-off (Brants et al. 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.counting import Ints, Table

Floats = NDArray[np.float64]

STUPID_BACKOFF = 0.4
"""α of Brants et al."""
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""KenLM's, for orders with too few counts to estimate discounts from."""


@dataclass(frozen=True)
class Level:
    """The n-grams of order k as the children of their contexts, which are the entries of order k − 1.

    Attributes:
        starts: (C + 1,) where each context's children begin.
        weights: (E,) see above.
        backoffs: (C,) see above; 1 for contexts without children.
    """

    starts: Ints
    weights: Floats
    backoffs: Floats


@dataclass(frozen=True)
class _Counts:
    """The counts of one order as a smoothing takes them: c(entry), and sums over the children of each context."""

    of: Ints
    starts: Ints

    def sum_children(self, values: NDArray[np.generic]) -> Floats:
        """(E,) → (C,): the sum over each context's children."""
        sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
        return sums[self.starts[1:]] - sums[self.starts[:-1]]

    def spread(self, values: Floats) -> Floats:
        """(C,) → (E,): each context's value for all its children."""
        return np.repeat(values, np.diff(self.starts))

    def share(self, numerators: Floats | Ints, denominators: Floats) -> Floats:
        """(E,) / (C,), where contexts without children have denominator 0 and no numerators."""
        shares: Floats = numerators / self.spread(denominators)
        return shares

    def level(self, weights: Floats, backoffs: Floats) -> Level:
        childless = np.diff(self.starts) == 0
        return Level(self.starts, weights, np.where(childless, 1.0, backoffs))


def smooth(tables: list[Table], vocab_size: int, smoothing: str) -> list[Level]:
    """Weights and backoffs of every order.

    Args:
        tables: of order 1, 2, …, as `count_ngrams` gives them.
        vocab_size: V.
        smoothing: a name in `SMOOTHINGS`.
    """
    base = vocab_size + 1
    contexts = [np.zeros(1, np.int64), *(table.keys for table in tables[:-1])]
    starts = [
        np.append(np.searchsorted(table.keys // base, context), len(table.keys))
        for table, context in zip(tables, contexts, strict=True)
    ]
    return SMOOTHINGS[smoothing](tables, starts, vocab_size)


def _maximum_likelihood(tables: list[Table], starts: list[Ints], vocab_size: int) -> list[Level]:
    """Goldberg's: the shares of what was seen, in the longest context that was seen, and nothing for the rest."""
    levels = []
    for table, start in zip(tables, starts, strict=True):
        counts = _Counts(table.counts, start)
        totals = counts.sum_children(counts.of)
        levels.append(counts.level(counts.share(counts.of, totals), np.zeros(len(totals))))
    return levels


def _witten_bell(tables: list[Table], starts: list[Ints], vocab_size: int) -> list[Level]:
    """As much for the unseen as there are different characters: backoff = types / (types + total)."""
    levels = []
    for table, start in zip(tables, starts, strict=True):
        counts = _Counts(table.counts, start)
        types = counts.sum_children(counts.of > 0)
        totals = types + counts.sum_children(counts.of)
        with np.errstate(invalid="ignore"):
            levels.append(counts.level(counts.share(counts.of, totals), types / totals))
    return levels


def _kneser_ney(tables: list[Table], starts: list[Ints], discounts_of: Callable[[Ints], Floats]) -> list[Level]:
    """Interpolated Kneser-Ney: what is discounted goes to the order below, which counts continuations.

    Args:
        tables: the counts.
        starts: children of each context.
        discounts_of: from the counts of one order to the discounts of counts 0, 1, 2 and 3 or more.
    """
    levels = []
    for table, start in zip(tables, starts, strict=True):
        counts = _Counts(table.continuations, start)
        discounts = discounts_of(counts.of)[np.minimum(counts.of, 3)]
        totals = counts.sum_children(counts.of)
        with np.errstate(invalid="ignore"):
            backoffs = counts.sum_children(discounts) / totals
        levels.append(counts.level(counts.share(counts.of - discounts, totals), backoffs))
    return levels


def _one_discount(counts: Ints) -> Floats:
    """Kneser and Ney 1995: D = n1 / (n1 + 2 n2), where n_i n-grams have count i."""
    n1, n2 = (float(np.count_nonzero(counts == i)) for i in (1, 2))
    discount = n1 / (n1 + 2 * n2) if n1 and n2 else FALLBACK_DISCOUNTS[0]
    return np.array([0.0, discount, discount, discount])


def _three_discounts(counts: Ints) -> Floats:
    """Chen and Goodman's: D_i = i − (i + 1) · D · n_{i+1} / n_i, where that lies between 0 and i."""
    n = [float(np.count_nonzero(counts == i)) for i in range(5)]
    if all(n[1:]):
        scale = n[1] / (n[1] + 2 * n[2])
        discounts = [i - (i + 1) * scale * n[i + 1] / n[i] for i in (1, 2, 3)]
        if all(0 <= discount <= i for i, discount in enumerate(discounts, 1)):
            return np.array([0.0, *discounts])
    return np.array([0.0, *FALLBACK_DISCOUNTS])


def _stupid(tables: list[Table], starts: list[Ints], vocab_size: int) -> list[Level]:
    """S_k(w | c) = share of w after c if it was seen there, else α · S_{k−1}(w | c'); divided by its sum over all w.

    Raw stupid back-off does not sum to 1. Its sum Z_k(c) = 1 + α (Z_{k−1}(c') − Σ S_{k−1}(w | c') over w seen after c)
    is known for every context, which turns it into the common form: weight = (share − α S_{k−1}) / Z_k and
    backoff = α Z_{k−1} / Z_k.
    """
    base, alpha = vocab_size + 1, STUPID_BACKOFF
    levels = []
    shares_below, sums_below = np.full(1, 1 / vocab_size), np.ones(1)
    contexts_below = contexts = np.zeros(1, np.int64)
    for k, (table, start) in enumerate(zip(tables, starts, strict=True), 1):
        counts = _Counts(table.counts, start)
        totals = counts.sum_children(counts.of)
        shares = counts.share(counts.of, totals)
        if k == 1:
            suffixes, contexts_suffixes = np.zeros(len(shares), np.int64), np.zeros(1, np.int64)
        else:
            suffixes = np.searchsorted(contexts, table.keys % base ** (k - 1))
            contexts_suffixes = np.searchsorted(contexts_below, contexts % base ** (k - 2))
        below = np.where(counts.of > 0, shares_below[suffixes], 0.0)
        sums = 1 + alpha * (sums_below[contexts_suffixes] - counts.sum_children(below))
        weights = (shares - alpha * below) / counts.spread(sums)
        levels.append(counts.level(weights, alpha * sums_below[contexts_suffixes] / sums))
        shares_below, sums_below = shares, sums
        contexts_below, contexts = contexts, table.keys
    return levels


SMOOTHINGS: dict[str, Callable[[list[Table], list[Ints], int], list[Level]]] = {
    "ml": _maximum_likelihood,
    "stupid": _stupid,
    "witten-bell": _witten_bell,
    "kn": lambda tables, starts, vocab_size: _kneser_ney(tables, starts, _one_discount),
    "mkn": lambda tables, starts, vocab_size: _kneser_ney(tables, starts, _three_discounts),
}
"""The smoothings by the name that `--smoothing` takes."""
