"""The n-gram models of a blend: of the given order, of half that order, and of the folded text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import NgramConfig
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.folded import FoldedNgramModel, classes_of
from charrnn.models.ngram.model import NgramModel
from charrnn.progress import Progress

MIN_BLENDED_ORDER = 5
"""Minimum order of n-grams that are blended with shorter ones."""


@dataclass(frozen=True)
class BlendPart:
    """One of the n-gram models of a blend.

    Attributes:
        config: its settings.
        vocab_size: number of different characters of the text that it counts.
        classes: (V,) the class of each character in the folded text; None for exact n-grams.
    """

    config: NgramConfig
    vocab_size: int
    classes: NDArray[np.int64] | None = None

    def text(self, ids: NDArray[Any]) -> NDArray[Any]:
        """Return the text to count, for a text (N,)."""
        return ids if self.classes is None else classes_of(ids, self.classes)

    def count(self, ids: NDArray[Any], progress: Progress | None = None) -> NgramCounts:
        """Count a text, (N,), and fit the discounts."""
        return NgramCounts.of(self.text(ids), self.vocab_size, self.config, progress)

    def model(self, counts: NgramCounts, ids: NDArray[Any]) -> NgramModel | FoldedNgramModel:
        """Return the model of the counts of a text, (N,)."""
        return counts.model() if self.classes is None else FoldedNgramModel.of(counts.model(), ids, self.classes)


def blend_parts(config: NgramConfig, vocab_size: int, classes: NDArray[np.int64] | None) -> list[BlendPart]:
    """Return the parts of a blend, the longest exact n-grams first.

    Args:
        config: the settings of the longest n-grams.
        vocab_size: V.
        classes: (V,) the class of each character in the folded text (see `fold`); None without folded n-grams.
    """
    parts = [BlendPart(config, vocab_size)]
    if config.order and config.order >= MIN_BLENDED_ORDER:
        parts.append(BlendPart(replace(config, order=(config.order + 1) // 2, prune=0), vocab_size))
    if classes is not None:
        parts.append(BlendPart(config, int(classes.max()) + 1, classes))
    return parts
