"""Beam search: find a likely text by keeping the W most likely beginnings at each length.

The search is deterministic. It only uses the settings that end a text and the filters marked for beam search.
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
from charrnn.models.stepper import make_stepper
from charrnn.sampling.filters import Scores, active_filters
from charrnn.sampling.sampler import checked_scores
from charrnn.sampling.sequence import GeneratedSequence, SequenceRules
from charrnn.sampling.state import GenerationState
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class BeamResult:
    """The text that beam search found.

    Attributes:
        end: the state at the end of the text, without the model's state.
        log_prob: the log-probability of all generated characters, in nats; for a match, including its end.
    """

    end: GenerationState
    log_prob: float


def beam_search(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    begin: GenerationState,
    width: int,
    documents: Documents | None = None,
) -> Iterator[BeamResult | None]:
    """Search for the most likely continuation of a text.

    A beginning can only become less likely as it grows, so the search ends when a finished text is more likely than all
    remaining beginnings.

    Args:
        model: the model.
        vocabulary: the vocabulary of the model.
        config: the settings: which characters are allowed, and when a text ends.
        begin: the state from which the text continues.
        width: W, the number of beams.
        documents: how documents are separated, if the model was trained on documents; the text ends with the first
            document.

    Yields:
        None after each step of the search, and at the end the best text.

    Raises:
        ModelError: no text satisfies the constraints.
    """
    filters = active_filters(config, vocabulary, in_beam_search=True).values()
    beams = [GeneratedSequence(SequenceRules(config, vocabulary, documents), begin)]
    tokens = np.array([begin.token])
    totals, state, best = np.zeros(1), begin.state, BeamResult(begin, -math.inf)
    if beams[0].finished:
        best, beams = BeamResult(begin, 0.0), []
    while beams:
        step = make_stepper(model, state, len(beams))
        logits = checked_scores(step.read(tokens))
        log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        best = max([best, *_ended(beams, totals, log_probs)], key=lambda result: result.log_prob)
        scores = log_probs
        for apply in filters:
            scores = apply(scores, beams)
        sums = totals[:, None] + scores
        order = np.argsort(-sums, axis=None, kind="stable")[:width]
        extended, origins = [], []
        for row, token in zip(*np.unravel_index(order, sums.shape), strict=True):
            total = float(sums[row, token])
            if total <= best.log_prob:
                break
            beam = beams[row].copy()
            try:
                beam.add(int(token))
            except ModelError:  # this beam can no longer match; others may
                continue
            if not (beam.finished or beam.at_document_start):
                extended.append(beam)
                origins.append((int(row), total))
            elif not beam.dropped_last:
                best = BeamResult(replace(begin, ids=tuple(beam.ids)), total)
        beams, rows = extended, [row for row, _ in origins]
        totals = np.array([total for _, total in origins])
        state = step.state
        state = None if state is None else tuple(part[rows] for part in state)
        tokens = np.array([beam.ids[-1] for beam in beams])
        yield None
    if best.log_prob == -math.inf:
        raise ModelError("beam search found no text that satisfies the constraints; try a larger --beam or --length")
    yield best


def _ended(beams: list[GeneratedSequence], totals: NDArray[np.float64], log_probs: Scores) -> Iterator[BeamResult]:
    """Yield the texts that match already, scored with the probability that the next character does not extend them."""
    for beam, total, row in zip(beams, totals, log_probs, strict=True):
        if beam.ending is not None:
            ending = np.logaddexp.reduce(row[beam.ending], initial=-np.inf)
            yield BeamResult(replace(beam.begin, ids=tuple(beam.ids)), float(total + ending))
