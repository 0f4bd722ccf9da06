"""Stupid back-off (Brants et al. 2007), normalized; it has no discounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.smoothing.backoff import BackoffLevel

ALPHA = 0.4
"""The factor of Brants et al. for each step to a lower order."""


def stupid_backoff(orders: Sequence[CountLevel], vocab_size: int) -> list[BackoffLevel]:
    """Compute S_k(w | c) = share of w after c if seen there, else α · S_{k−1}(w | c'); divided by its sum over all w.

    Raw stupid back-off does not sum to 1. Its sum Z_k(c) = 1 + α (Z_{k−1}(c') − Σ S_{k−1}(w | c') over w seen after c)
    is known for every context, which gives the common form: weight = (share − α S_{k−1}) / Z_k and
    backoff = α Z_{k−1} / Z_k. Weights may be negative. All orders count occurrences.
    """
    levels: list[BackoffLevel] = []
    shares, sums = np.full(1, 1 / vocab_size), np.ones(1)
    shorter = np.zeros(1, np.int64)  # the entry of each context without its oldest character
    for k, order in enumerate(orders, 1):
        totals = order.sum_children(order.counts)
        owners = np.repeat(np.arange(len(totals)), np.diff(order.starts))
        with np.errstate(invalid="ignore"):
            share = np.nan_to_num(order.counts / totals[owners])
        if k == 1:
            endings = np.zeros(len(order), np.int64)
        else:
            endings = orders[k - 2].find(shorter[owners], order.tokens.astype(np.int64))
        below = np.where(order.counts > 0, shares[endings], 0.0)
        normalizers = 1 + ALPHA * (sums[shorter] - order.sum_children(below))
        weights = (share - ALPHA * below) / normalizers[owners]
        backoffs = np.where(totals > 0, ALPHA * sums[shorter] / normalizers, 1.0)
        levels.append(BackoffLevel(order.tokens, order.starts, weights.astype(np.float32), backoffs.astype(np.float32)))
        shares, sums, shorter = share, normalizers, endings
    return levels
