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
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import State
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.folded import classes_of
from charrnn.models.ngram.model import NgramModel

LEARNING_RATE = 0.05
"""Learning rate of the weights' logits."""
PIECE = 1 << 14
"""Number of characters read at a time to divide classes."""


class OnlineBlend:
    """The counts of the parts of a blend.

    Args:
        parts: the counts; the last part counts the folded text if `classes` is given.
        exact: the model of the longest exact n-grams, which divides the probability of a class among its characters.
        classes: (V,) the class of each character in the folded text; None without folded n-grams.
    """

    def __init__(self, parts: Sequence[NgramCounts], exact: NgramModel, classes: NDArray[np.int64] | None) -> None:
        self.parts, self.exact, self.classes, self.vocab_size = parts, exact, classes, exact.vocab_size

    def online_log_probs(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return (N − 1,) log-probabilities of a text without its first character, (N,)."""
        texts = [ids] * len(self.parts)
        if self.classes is not None:
            texts[-1] = classes_of(ids, self.classes)
        pairs = [part.online_probabilities(text) for part, text in zip(self.parts, texts, strict=True)]
        probabilities = np.stack([probabilities[1:] for probabilities, _ in pairs], axis=1)
        if self.classes is not None:
            probabilities[:, -1] *= self._shares(ids)
        lengths = np.max([lengths for _, lengths in pairs], axis=0)
        return np.log(mix(probabilities, lengths[1:]))

    def _shares(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return (N − 1,) the share of each character in the probability of its class, by the exact n-grams."""
        assert self.classes is not None
        classes, tokens = torch.from_numpy(self.classes), torch.from_numpy(ids.astype(np.int64))
        state: State | None = None
        shares = []
        for begin in range(0, len(ids) - 1, PIECE):
            window = tokens[begin : begin + PIECE + 1]
            logits, state = self.exact(window[None, :-1], state)
            p, targets = logits[0].double().exp(), window[1:]
            is_alike = classes[None] == classes[targets][:, None]
            own = p.gather(1, targets[:, None])[:, 0]
            shares.append(own / (p * is_alike).sum(1))
        return torch.cat(shares).numpy()


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
