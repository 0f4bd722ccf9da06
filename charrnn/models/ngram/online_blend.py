"""A blend of n-gram models that keep counting while they are scored, with weights that are learned from the same text.

The probabilities of the parts are averaged; the weights depend on the length of the longest context that was seen
before. After each character, the weights move toward the parts that predicted it better (Cesa-Bianchi and Lugosi 2006,
chapter 2: exponentiated gradient on the log loss). So no character helps to predict itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.folded import FoldedNgramModel, classes_of

LEARNING_RATE = 0.02
"""Learning rate of the weights' logits."""


class OnlineBlend:
    """The counts of the parts of a blend.

    Args:
        parts: the counts; the first has the longest n-grams, and the last counts the folded text if `folded` is given.
        folded: the folded n-grams, whose shares of characters are not updated.
    """

    def __init__(self, parts: Sequence[NgramCounts], folded: FoldedNgramModel | None) -> None:
        self.parts, self.folded, self.vocab_size = parts, folded, parts[0].vocab_size

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return (N − 1,) log-probabilities of a text without its first character, (N,)."""
        texts = [ids] * len(self.parts)
        if self.folded:
            texts[-1] = classes_of(ids, self.folded.classes.numpy())
        pairs = [part.online_probabilities(text) for part, text in zip(self.parts, texts, strict=True)]
        probabilities = np.stack([probabilities[1:] for probabilities, _ in pairs], axis=1)
        if self.folded:
            probabilities[:, -1] *= self.folded.log_shares.exp().numpy()[ids[1:]]
        return np.log(mix(probabilities, pairs[0][1][1:]))


def mix(probabilities: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average probabilities with weights that are learned along the way.

    Args:
        probabilities: (N, K) the probability of each character by each of K models.
        groups: (N,) the group of each character; each group has its own weights.

    Returns:
        (N,) the mean, with the weights before the character was learned from.
    """
    models = range(probabilities.shape[1])
    logits = [[0.0 for _ in models] for _ in range(int(groups.max(initial=0)) + 1)]
    means = np.empty(len(groups))
    for i, (row, group) in enumerate(zip(probabilities.tolist(), groups.tolist(), strict=True)):
        own = logits[group]
        weights = [math.exp(logit) for logit in own]
        total = sum(weights)
        mean = sum(weight * p for weight, p in zip(weights, row, strict=True)) / total
        means[i] = mean
        for k in models:
            own[k] += LEARNING_RATE * weights[k] / total * (row[k] / mean - 1)
    return means
