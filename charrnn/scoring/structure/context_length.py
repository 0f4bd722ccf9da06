"""The effect of a limited context: how many characters of memory a model uses.

At random positions, the next character is predicted from the last N characters only, read from the initial state, and
from the full context (Karpathy, Johnson and Li, arXiv 1506.02078, limit the context of n-grams instead). All lengths
and models use the same positions, so paired differences have smaller errors than the means.
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
"""Maximum number of positions in a batch."""


def lengths_in(size: int, lengths: Sequence[int] = LENGTHS) -> tuple[int, ...]:
    """Return the lengths that are at most half of a text of `size` characters, so that positions remain to choose."""
    return tuple(length for length in lengths if 2 * length <= size)


def draw_places(size: int, longest: int, count: int = PLACES, seed: int = 0) -> NDArray[np.int64]:
    """Draw at most `count` distinct positions with at least `longest` characters before them, in ascending order."""
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
    """Compute the surprisal of characters given only the `length` characters before each.

    Args:
        model: any language model.
        ids: (N,) the text.
        places: (P,) positions of the characters, each ≥ length.
        length: length of the context in characters, ≥ 1.
        progress: progress callback, in characters.

    Returns:
        (P,) surprisals in nats.
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
    """Return the log-probability, (B,), of the last character of each row; the window is (B, length + 1)."""
    if isinstance(model, ScoresNext):
        rows = torch.from_numpy(window)
        return next_log_probs(model, rows[:, :-1], rows[:, 1:])[0][:, -1].cpu().double().numpy()
    steps = make_stepper(model, None, len(window))
    for column in window[:, :-1].T:
        logits = steps.read(np.ascontiguousarray(column))
    log_probs: NDArray[np.float64] = log_softmax(logits)[np.arange(len(window)), window[:, -1]].astype(np.float64)
    return log_probs
