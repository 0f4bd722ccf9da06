"""Beam search: the likeliest text that looking at the W best beginnings of each length finds.

Nothing is drawn: of the settings, what may be written and what ends a text play a part, the others do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.language_model import LanguageModel
from charrnn.models.steppers import stepper
from charrnn.sampling.filters import Scores
from charrnn.sampling.sampler import allowed_by, checked_scores, masked
from charrnn.sampling.sequence import Text
from charrnn.sampling.state import Mark
from charrnn.sampling.stopping import Match, Stops
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Found:
    """A text.

    Attributes:
        mark: its characters; the state is not that of its end.
        log_prob: of all that was written, in nats; of a match, of its ending there too.
    """

    mark: Mark
    log_prob: float


def beam_search(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    mark: Mark,
    width: int,
    documents: Documents | None = None,
) -> Iterator[Found | None]:
    """Look for the likeliest text after a place.

    A beginning's probability only falls as it goes on, so the search ends when a text that has ended is likelier than
    all beginnings that are left.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        config: what may be written, and when a text ends.
        mark: where it begins.
        width: W, how many beginnings are kept.
        documents: what tells documents apart, if the model has read each from the beginning: a text ends with the
        first.

    Yields:
        None for each character that the search goes on by, and the likeliest text in the end.

    Raises:
        ModelError: nothing can be written, or not so that it matches.
    """
    allowed = allowed_by(config, vocabulary)
    match = None if config.match is None else Match(config.match, vocabulary)
    texts = [Text(vocabulary, config, mark, documents, Stops(config), match, allowed)]
    tokens = np.array([mark.token])
    totals, state, best = np.zeros(1), mark.state, Found(mark, -math.inf)
    if texts[0].is_over:
        best, texts = Found(mark, 0.0), []
    while texts:
        step = stepper(model, state, len(texts))
        logits = checked_scores(step.read(tokens))
        log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        best = max([best, *_ended(texts, totals, log_probs)], key=lambda found: found.log_prob)
        sums = totals[:, None] + masked(log_probs, allowed, texts)
        order = np.argsort(-sums, axis=None, kind="stable")[:width]
        after, places = [], []
        for row, token in zip(*np.unravel_index(order, sums.shape), strict=True):
            total = float(sums[row, token])
            if total <= best.log_prob:
                break
            text = texts[row].copy()
            try:
                text.add(int(token))
            except ModelError:  # it cannot become a match; others may
                continue
            if not (text.is_over or text.is_new):
                after.append(text)
                places.append((int(row), total))
            elif not text.is_rejected:
                best = Found(replace(mark, ids=tuple(text.ids)), total)
        texts, rows = after, [row for row, _ in places]
        totals = np.array([total for _, total in places])
        state = step.state
        state = None if state is None else tuple(part[rows] for part in state)
        tokens = np.array([text.ids[-1] for text in texts])
        yield None
    if best.log_prob == -math.inf:
        raise ModelError("no text was found that ends as it must; say a larger --beam or --length")
    yield best


def _ended(texts: list[Text], totals: NDArray[np.float64], log_probs: Scores) -> Iterator[Found]:
    """The texts that are a match as they are: they end with the characters that cannot lead on."""
    for text, total, row in zip(texts, totals, log_probs, strict=True):
        if text.ending is not None:
            ending = np.logaddexp.reduce(row[text.ending], initial=-np.inf)
            yield Found(replace(text.mark, ids=tuple(text.ids)), float(total + ending))
