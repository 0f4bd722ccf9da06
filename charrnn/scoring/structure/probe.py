"""A model's predictions for a text in one pass: all surprisals, and details at selected positions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.language_model import MAX_LOGITS, LanguageModel, State, next_log_probs
from charrnn.progress import Progress
from charrnn.scoring.surprisal import CHUNK_CHARS, checked

Group = Sequence[int]
"""Ids of a group of characters, at least one."""


@dataclass(frozen=True)
class ProbeResult:
    """A model's predictions for a text, each given all characters before.

    Attributes:
        surprisals: (N,) surprisals of all characters of the text, in nats.
        places: (M,) positions measured in detail, ascending.
        best: by group name, (M,) the likeliest character of the group.
        mass: by group name, (M,) the log of the total probability of the group, in nats.
    """

    surprisals: NDArray[np.float64]
    places: NDArray[np.int64]
    best: dict[str, NDArray[np.int64]]
    mass: dict[str, NDArray[np.float64]]

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of some positions in `places`."""
        rows: NDArray[np.int64] = np.searchsorted(self.places, places)
        return rows


@torch.inference_mode()
def probe(
    model: LanguageModel,
    ids: NDArray[Any],
    places: NDArray[np.int64],
    groups: Mapping[str, Group],
    progress: Progress | None = None,
) -> ProbeResult:
    """Read a text with a model in one static pass, and record the model's predictions.

    Args:
        model: any language model.
        ids: (N,) the text, N ≥ 1.
        places: (M,) positions to measure in detail, ascending, from 1 to N − 1.
        groups: groups of characters, by name.
        progress: progress callback, in characters.

    Raises:
        ModelError: the model produced NaN.
    """
    surprisals = np.full(len(ids), math.log(model.vocab_size))
    best = {name: np.zeros(len(places), np.int64) for name in groups}
    mass = {name: np.zeros(len(places)) for name in groups}
    piece = max(1, min(CHUNK_CHARS, MAX_LOGITS // model.vocab_size))
    state: State | None = None
    for begin in range(0, len(ids) - 1, piece):
        window = torch.from_numpy(ids[begin : begin + piece + 1].astype(np.int64))[None]
        tokens, targets = window[:, :-1], window[:, 1:]
        rows = slice(*np.searchsorted(places, (begin + 1, begin + window.shape[1])))
        if rows.start == rows.stop:
            chosen_log_probs, state = next_log_probs(model, tokens, targets, state)
            log_probs = chosen_log_probs[0].cpu()
        else:
            logits, state = model(tokens, state)
            all_log_probs = torch.log_softmax(logits[0].float().cpu(), -1)
            log_probs = all_log_probs.gather(-1, targets[0, :, None])[:, 0]
            at_places = all_log_probs[torch.from_numpy(places[rows] - begin - 1)]
            for name, group in groups.items():
                best[name][rows], mass[name][rows] = _within(at_places, group)
        surprisals[begin + 1 : begin + window.shape[1]] = -checked(log_probs).double().numpy()
        if progress:
            progress(begin + window.shape[1], len(ids))
    return ProbeResult(surprisals, places, best, mass)


def _within(log_probs: Tensor, group: Group) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the likeliest character of a group, (n,), and the group's log-probability, (n,), from (n, V)."""
    chosen = torch.tensor(group)
    group_log_probs = log_probs[:, chosen].double()
    best: NDArray[np.int64] = chosen[group_log_probs.argmax(-1)].numpy()
    return best, torch.logsumexp(group_log_probs, -1).clamp(max=0).numpy()
