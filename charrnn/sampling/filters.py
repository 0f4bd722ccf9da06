"""What changes a distribution before a character is drawn: pure functions from scores (B, V) to scores (B, V).

Scores are log-probabilities but for a constant in each row; −∞ is impossible. `decoding.py` applies them in the order
in which they stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""(B, V)"""


def keep_only(scores: Scores, allowed: NDArray[np.bool_]) -> Scores:
    """Leave what is allowed.

    Args:
        scores: (B, V).
        allowed: (V,) or (B, V).
    """
    return np.where(allowed, scores, -np.inf)


def penalise_repetition(scores: Scores, recent: Sequence[Iterable[int]], penalty: float) -> Scores:
    """Divide the probability of what was just written.

    As the repetition penalty of CTRL (Keskar et al. 2019, arXiv 1909.05858), but of probabilities: dividing logits
    means something else for each constant that they may have.

    Args:
        scores: (B, V).
        recent: for each row, the characters written last; how often one was makes no difference.
        penalty: what to divide by; less than 1 makes repetition likelier.
    """
    changed = scores.copy()
    for row, tokens in enumerate(recent):
        changed[row, list(set(tokens))] -= np.log(penalty)
    return changed


def at_temperature(scores: Scores, temperature: float) -> Scores:
    """p^(1 / temperature); the largest score becomes 0, so that no temperature, however low, makes it infinite."""
    changed: Scores = (scores - scores.max(-1, keepdims=True)) / temperature
    return changed


def keep_top_k(scores: Scores, k: int) -> Scores:
    """Leave the k likeliest characters of each row; by index, so that ties never keep more than k.

    Args:
        scores: (B, V).
        k: how many to keep; all, if there are fewer.
    """
    if k >= scores.shape[-1]:
        return scores
    likeliest = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    return _only_at(scores, likeliest, True)


def keep_top_p(scores: Scores, p: float) -> Scores:
    """Leave the fewest likeliest characters of each row whose probabilities reach p (nucleus sampling).

    Holtzman et al. 2020, arXiv 1904.09751. The likeliest always stays.

    Args:
        scores: (B, V).
        p: more than 0, at most 1.
    """
    order = np.argsort(-scores, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities(scores), order, -1)
    is_kept = ordered.cumsum(-1) - ordered < p
    is_kept[:, 0] = True
    return _only_at(scores, order, is_kept)


def keep_min_p(scores: Scores, share: float) -> Scores:
    """Leave the characters that have at least this share of the likeliest one's probability.

    Nguyen et al. 2024, arXiv 2407.01082.

    Args:
        scores: (B, V).
        share: more than 0, at most 1.
    """
    return np.where(scores >= scores.max(-1, keepdims=True) + np.log(share), scores, -np.inf)


def probabilities(scores: Scores) -> Scores:
    """(B, V) that sum to 1."""
    p: Scores = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p


def _only_at(scores: Scores, places: NDArray[Any], is_kept: NDArray[np.bool_] | bool) -> Scores:
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, places, is_kept, -1)
    return np.where(mask, scores, -np.inf)
