"""What a model loses if it sees only the last few characters: its memory, in characters.

At places that are drawn by lot, the last N characters are read from the empty state, and the next one is predicted; and
once with all that comes before (Karpathy, Johnson and Li, arXiv 1506.02078, cut the context of n-grams instead). All
lengths and models have the same places, so differences are surer than the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.language_model import MAX_LOGITS, LanguageModel, ScoresNext, next_log_probs
from charrnn.models.stepper import log_softmax, make_stepper
from charrnn.progress import Progress

LENGTHS = (8, 16, 32, 64, 128, 256, 512)
PLACES = 4096
MAX_ROWS = 256
"""The most places that are read side by side."""


def lengths_in(size: int, lengths: Sequence[int] = LENGTHS) -> tuple[int, ...]:
    """Those of the lengths that leave at least half of a text of `size` characters to draw places from."""
    return tuple(length for length in lengths if 2 * length <= size)


def draw_places(size: int, longest: int, count: int = PLACES, seed: int = 0) -> NDArray[np.int64]:
    """Different places of a text of `size` characters that have `longest` ones before them: at most `count`, rising."""
    drawn = np.random.default_rng(seed).choice(size - longest, min(count, size - longest), replace=False)
    places: NDArray[np.int64] = np.sort(drawn) + longest
    return places


@torch.inference_mode()
def surprisals_after(
    model: LanguageModel,
    ids: NDArray[Any],
    places: NDArray[np.int64],
    length: int,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The surprisal of characters, each after the `length` characters before it and nothing else.

    The (P,) places are those in (N,) ids, none before `length`, which is 1 at least.

    Returns:
        (P,) nats.
    """
    rows = max(1, min(MAX_ROWS, MAX_LOGITS // (length * model.vocab_size)))
    nats = []
    for begin in range(0, len(places), rows):
        windows = places[begin : begin + rows, None] + np.arange(-length, 1)
        nats.append(-_last(model, ids[windows].astype(np.int64)).clip(max=0))
        if progress:
            progress(min(begin + rows, len(places)) * length, len(places) * length)
    return np.concatenate(nats)


def _last(model: LanguageModel, window: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B, length + 1) characters → (B,) the log-probability of the last of each row."""
    if isinstance(model, ScoresNext):
        rows = torch.from_numpy(window)
        return next_log_probs(model, rows[:, :-1], rows[:, 1:])[0][:, -1].cpu().double().numpy()
    steps = make_stepper(model, None, len(window))
    for column in window[:, :-1].T:
        logits = steps.read(np.ascontiguousarray(column))
    log_probs: NDArray[np.float64] = log_softmax(logits)[np.arange(len(window)), window[:, -1]].astype(np.float64)
    return log_probs
