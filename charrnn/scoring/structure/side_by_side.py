"""Compare a network with an n-gram model where a text has structure: both read the text and make predictions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ModelError, TextError
from charrnn.models.language_model import LanguageModel
from charrnn.progress import Progress
from charrnn.scoring.structure.brackets import BRACKETS, GROUPS, Closing, find_closings, looks_like_code
from charrnn.scoring.structure.context_length import LENGTHS, PLACES, draw_places, lengths_in, surprisals_after
from charrnn.scoring.structure.figures import (
    BracketAccuracy,
    ContextBits,
    Difference,
    DistanceBits,
    IndentationAccuracy,
    Structure,
    mean_and_error,
)
from charrnn.scoring.structure.indentation import CHANGES, IndentedLines, groups
from charrnn.scoring.structure.probe import Group, ProbeResult, probe
from charrnn.text.vocabulary import Vocabulary

EDGES = (1, *(1 << power for power in range(2, 13)))
"""Lower edges of the ranges of distances: 1 to 3, 4 to 7, 8 to 15, … 2,048 to 4,095 characters."""
ANY, CLOSING = "any", "closing"
"""Names of groups of characters."""
ProbePair = tuple[ProbeResult, ...]
"""The predictions of the network and of the n-gram model."""


def compare_structure(
    network: LanguageModel,
    counts: LanguageModel,
    ids: NDArray[Any],
    vocabulary: Vocabulary,
    places: int = PLACES,
    seed: int = 0,
    progress: Progress | None = None,
) -> Structure:
    """Compare a network with an n-gram model where a text has structure.

    Args:
        network: the network.
        counts: the n-gram model, with the same vocabulary; it must give every character a probability.
        ids: (N,) the text.
        vocabulary: the vocabulary of both models.
        places: maximum number of random positions at which the context is limited.
        seed: seed of these positions.
        progress: progress callback, in characters read by both models, including all limited contexts.

    Raises:
        TextError: the text is too short.
        ModelError: a model produced NaN, or the n-gram model assigns probability 0 to a character.
    """
    if len(ids) < 2:
        raise TextError("there are no held-out characters to analyze; use a larger --val-fraction")
    text = characters_of(ids, vocabulary)
    closings, lines = find_closings(text), IndentedLines.of(text)
    lengths = lengths_in(len(ids), LENGTHS)
    positions = draw_places(len(ids), max((*lengths, 1)), places, seed)
    next_progress = _split_progress(progress, 2 * len(ids) + 2 * len(positions) * sum(lengths))

    blanks, ends = _known(vocabulary, " \t"), _known(vocabulary, "".join(kind[1] for kind in BRACKETS))
    char_groups: dict[str, Group] = {ANY: range(len(vocabulary)), **({CLOSING: ends} if ends else {})}
    if lines:
        char_groups |= groups(len(vocabulary), _known(vocabulary, "\n"), blanks)
    at_brackets = np.array([closing.place for closing in closings if closing.kind in BRACKETS], np.int64)
    measured = np.union1d(at_brackets, lines.places if lines else at_brackets)
    pair = tuple(probe(model, ids, measured, char_groups, next_progress(len(ids))) for model in (network, counts))
    if not np.isfinite(pair[1].surprisals).all():
        raise ModelError("the n-gram model assigns probability 0 to held-out characters; try a smoothed model")

    whole = tuple(result.surprisals[positions] for result in pair)
    contexts = []
    for length in lengths:
        after = (
            surprisals_after(model, ids, positions, length, next_progress(len(positions) * length))
            for model in (network, counts)
        )
        contexts.append(_at_context(length, tuple(after), whole))
    return Structure(
        characters=len(ids),
        is_code=looks_like_code(text),
        places=len(positions),
        seed=seed,
        closings=tuple(_by_distance(closings, pair, sorted(set(GROUPS.values())), GROUPS)),
        kinds=tuple(_by_distance(closings, pair, GROUPS, {kind: kind for kind in GROUPS})),
        contexts=(*contexts, _at_context(None, whole, whole)),
        brackets=tuple(_brackets(closings, pair, ids, len(ends))),
        indentation=tuple(_indentation(lines, pair, ids, blanks)) if lines else (),
    )


def _by_distance(
    closings: Sequence[Closing], pair: ProbePair, kinds: Collection[str], kind_of: Mapping[str, str]
) -> Iterator[DistanceBits]:
    """Yield the differences for each kind, or group of kinds, at all distances that occur."""
    for kind in kinds:
        of_this_kind = [closing for closing in closings if kind_of[closing.kind] == kind]
        distances = np.array([closing.distance for closing in of_this_kind], np.int64)
        network, counts = (_sums(of_this_kind, result.surprisals) for result in pair)
        for low, above in pairwise(EDGES):
            within = (low <= distances) & (distances < above)
            if within.any():
                yield DistanceBits(kind, low, above - 1, Difference.of(network[within], counts[within]))


def _sums(closings: Sequence[Closing], surprisals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the nats of the closing characters of each pair, (n,)."""
    return np.array([surprisals[closing.place : closing.place + closing.length].sum() for closing in closings])


def _at_context(
    length: int | None, cut: tuple[NDArray[np.float64], ...], whole: tuple[NDArray[np.float64], ...]
) -> ContextBits:
    network, counts = cut
    lost, lost_error = mean_and_error(network - whole[0])
    return ContextBits(length, *mean_and_error(network), *mean_and_error(counts), lost, lost_error)


def _brackets(closings: Sequence[Closing], pair: ProbePair, ids: NDArray[Any], kinds: int) -> Iterator[BracketAccuracy]:
    """Yield the accuracy for each kind in the text; `kinds` is the number of closing brackets in the vocabulary."""
    for kind in BRACKETS:
        places = np.array([closing.place for closing in closings if closing.kind == kind], np.int64)
        if len(places):
            right = {
                (i, group): float((result.best[group][result.rows(places)] == ids[places]).mean())
                for i, result in enumerate(pair)
                for group in (CLOSING, ANY)
            }
            first, second = (right[0, CLOSING], right[1, CLOSING]) if kinds > 1 else (None, None)
            yield BracketAccuracy(kind, len(places), first, second, right[0, ANY], right[1, ANY])


def _indentation(
    lines: IndentedLines, pair: ProbePair, ids: NDArray[Any], blanks: Sequence[int]
) -> Iterator[IndentationAccuracy]:
    """Yield the results for all lines, and for the lines of each change."""
    (right, nats), (counts_right, counts_nats) = (lines.judge(ids, result, blanks) for result in pair)
    for change in ("all", *CHANGES):
        chosen = np.ones(len(nats), bool) if change == "all" else lines.changes == CHANGES.index(change)
        if chosen.any():
            bits = Difference.of(nats[chosen], counts_nats[chosen])
            yield IndentationAccuracy(change, float(right[chosen].mean()), float(counts_right[chosen].mean()), bits)


def characters_of(ids: NDArray[Any], vocabulary: Vocabulary) -> str:
    """Decode a text to exactly one character for each id; bytes as Latin-1."""
    if vocabulary.is_bytes:
        return ids.astype(np.uint8).tobytes().decode("latin-1")
    return vocabulary.decode(ids.tolist())


def _known(vocabulary: Vocabulary, characters: str) -> list[int]:
    """Return the ids of the characters, without those that the vocabulary lacks."""
    ids: list[int] = vocabulary.encode(characters, unknown="skip").tolist()
    return ids


def _split_progress(progress: Progress | None, total: int) -> Callable[[int], Progress]:
    """Return a function that makes the progress callback of the next part, given the part's size."""
    end = 0

    def next_progress(size: int) -> Progress:
        nonlocal end
        start, end = end, end + size
        return lambda done, _: progress(start + done, total) if progress else None

    return next_progress
