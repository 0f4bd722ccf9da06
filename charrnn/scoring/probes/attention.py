"""Where attention looks: the weights of each head, by character, by distance, and by class of character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.rnn.cells import Attention
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress, no_progress
from charrnn.scoring.probes.predictions import CHUNK_CHARS, readings
from charrnn.scoring.probes.states import CLASSES, class_of
from charrnn.scoring.probes.traces import read_chunks
from charrnn.text.documents import TextSpan

SEEN = (*CLASSES, "document start")
"""What a head may look at: classes of characters, and the start character of a document."""
START = len(CLASSES)
NOTHING = -1
"""Number of the class of the places before a text."""
FAINT = 1 / 16
"""Weights below this share of the largest one of the same head and character are not kept."""
MAX_KEPT = 1 << 22
"""Maximum number of weights of a layer to keep."""
MAX_WEIGHTS = 1 << 22
"""Maximum number of weights to compute at a time."""


@dataclass(frozen=True)
class HeadWeights:
    """Where the heads of a layer with attention look when the network predicts the characters of a text.

    The character to predict has been given; the last character read is at distance 1.

    Attributes:
        layer: number of the layer, from 1.
        window: W, the number of characters that a head sees.
        by_distance: (heads + 1, D) share of each head's weight at the distances 1, 2, ..., D; the last row is that of a
            head that looks at all characters in its window equally.
        by_class: (heads + 1, 7) share of each head's weight on each of SEEN.
        counts: (N, heads) number of weights kept for each of the first N characters; 0 for one without context.
        distances: (M,) distances of all weights kept, by character, then by head, the nearest first.
        weights: (M,) these weights, those of one head and character at most 1 in all.
    """

    layer: int
    window: int
    by_distance: NDArray[np.float64]
    by_class: NDArray[np.float64]
    counts: NDArray[np.int64]
    distances: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def heads(self) -> int:
        """The number of heads."""
        return len(self.by_distance) - 1


class _Sums:
    """Sums over the characters read so far, for one layer."""

    def __init__(self, layer: int, cell: Attention, shown: int) -> None:
        self.layer, self.window, self.read = layer, cell.window, 0
        self.by_distance, self.by_class = np.zeros((cell.heads + 1, cell.window)), np.zeros((cell.heads + 1, len(SEEN)))
        self.counts = np.zeros((shown, cell.heads), np.int64)
        self.distances: list[NDArray[np.int64]] = []
        self.weights: list[NDArray[np.float32]] = []
        self.kept, self.complete = 0, shown

    def add(self, weights: Tensor, seen: NDArray[np.int8], place: int) -> None:
        """Add (T, heads, W) weights by distance; `seen` are the classes, (T, W), `place` of the first prediction."""
        self.read += len(weights)
        is_there = torch.from_numpy(seen != NOTHING).to(weights)
        evenly = is_there / is_there.sum(1, keepdim=True)
        rows = torch.cat((weights, evenly[:, None]), 1)
        self.by_distance += rows.sum(0).double().cpu().numpy()
        for number in range(len(SEEN)):
            is_class = torch.from_numpy(seen == number).to(weights)
            self.by_class[:, number] += torch.einsum("thw,tw->h", rows, is_class).double().cpu().numpy()
        if place < self.complete:
            self._keep(weights[: self.complete - place], place)

    def _keep(self, weights: Tensor, place: int) -> None:
        is_kept = (weights >= FAINT * weights.amax(2, keepdim=True)) & (weights > 0)
        kept = weights[is_kept]
        if self.kept + len(kept) > MAX_KEPT:
            self.complete = place
            return
        self.kept += len(kept)
        self.counts[place : place + len(weights)] = is_kept.sum(2).cpu().numpy()
        self.distances.append(is_kept.nonzero()[:, 2].cpu().numpy() + 1)
        self.weights.append(kept.float().cpu().numpy())

    def result(self) -> HeadWeights:
        """Return the shares of the weights, and the weights kept."""
        furthest = int(np.flatnonzero(self.by_distance.sum(0)).max(initial=0)) + 1
        total = max(1, self.read)
        return HeadWeights(
            self.layer, self.window, self.by_distance[:, :furthest] / total, self.by_class / total,
            self.counts[: self.complete], np.concatenate(self.distances or [np.zeros(0, np.int64)]),
            np.concatenate(self.weights or [np.zeros(0, np.float32)]),
        )  # fmt: skip


@torch.inference_mode()
def measure_attention(
    network: RecurrentModel,
    text: TextSpan,
    characters: Sequence[str],
    shown: int,
    progress: Progress = no_progress,
) -> tuple[HeadWeights, ...]:
    """Measure where each layer with attention looks.

    Args:
        network: the network; one without attention has no result.
        text: (N,) ids.
        characters: the same text, one `str` for each id.
        shown: the number of characters for which single weights are kept, if MAX_KEPT permits.
        progress: progress callback, in characters.
    """
    cells = {number: cell for number, cell in enumerate(network.cells, 1) if isinstance(cell, Attention)}
    if not cells:
        return ()
    sums = {number: _Sums(number, cell, min(shown, len(text))) for number, cell in cells.items()}
    window = network.config.window
    size = max(1, min(CHUNK_CHARS // 4, MAX_WEIGHTS // (window * max(cell.heads for cell in cells.values()))))
    classes = np.array([CLASSES.index(class_of(character)) for character in characters], np.int8)
    offset = int(text.documents is not None)  # of the first character, after the start character
    before = np.full(window - 1, NOTHING, np.int8)
    for tokens, place in readings(text):
        seen = np.concatenate((before, [START] * offset, classes[place + offset : place + len(tokens)])).astype(np.int8)
        for begin, state, layers in read_chunks(network, tokens[:-1], size):
            length = layers[0].inputs.shape[1]
            at = np.arange(length)[:, None] + np.arange(window)[::-1]  # (T, W), by distance
            index = torch.from_numpy(at).to(network.device)
            for number, cell in cells.items():
                weights = cell.weights(layers[number - 1].inputs, state[number - 1])[0]
                weights = weights.gather(2, index.expand(cell.heads, -1, -1)).transpose(0, 1)
                sums[number].add(weights, seen[begin + at], place + begin + 1)
            progress(place + begin + length + 1, len(text))
    return tuple(layer.result() for layer in sums.values())
