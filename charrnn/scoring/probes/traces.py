"""The states that a network goes through while it reads a text, character by character."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.models.hardware.thread_tuner import fixed_threads
from charrnn.models.language_model import State
from charrnn.models.rnn.model import LayerRead, RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.probes.predictions import CHUNK_CHARS, readings
from charrnn.text.documents import TextSpan

MAX_NUMBERS = 1 << 26
"""The most numbers of a trace: 256 MB."""


@dataclass(frozen=True)
class Trace:
    """What the units of a network were after each of N characters.

    Attributes:
        groups: names of the parts of the state, such as "layer 1 h".
        width: H, units of each.
        values: (N, U) single precision, U = H times the number of groups, in their order.
    """

    groups: tuple[str, ...]
    width: int
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.groups) * self.width

    def name(self, unit: int) -> str:
        """Of a unit: "layer 1 h 17", counted from 1."""
        return f"{self.groups[unit // self.width]} {unit % self.width + 1}"

    @property
    def has_cells(self) -> bool:
        """Whether there is more to a layer's state than what it gives out."""
        return any(not group.endswith(" h") for group in self.groups)

    @property
    def top(self) -> slice:
        """The units that the last layer gives to the head."""
        layer = self.groups[-1].rpartition(" ")[0]
        first = next(i for i, group in enumerate(self.groups) if group.startswith(f"{layer} "))
        return slice(first * self.width, (first + 1) * self.width)


def trace(network: RecurrentModel, text: TextSpan, progress: Progress | None = None) -> Trace:
    """Read a text and keep all states; what is more than MAX_NUMBERS of them is left out at its end."""
    groups = network.unit_groups
    width = network.config.hidden_size
    text = text[: max(1, MAX_NUMBERS // (len(groups) * width))]
    values = np.empty((len(text), len(groups) * width), np.float32)
    for places, layers in pieces(network, text):
        values[places] = torch.cat([layer.after[0] for layer in layers], -1).float().cpu().numpy()
        if progress:
            progress(places.stop, len(text))
    return Trace(groups, width, values)


@torch.inference_mode()
def pieces(network: RecurrentModel, text: TextSpan) -> Iterator[tuple[slice, list[LayerRead]]]:
    """Some characters of a text at a time: their places, and what went on in each layer, as (1, T, ...) tensors."""
    # A text read in order is one row: more threads gain nothing, and where the machine has other work they wait. Then
    # nn.LSTM took 1.1 s instead of 0.04 s for 2,048 characters.
    one_thread = fixed_threads(1)
    for tokens, place in readings(text):
        state: State | None = None
        for begin in range(0, len(tokens), CHUNK_CHARS):
            window = torch.from_numpy(tokens[begin : begin + CHUNK_CHARS])
            with one_thread.piece():
                layers = list(network.layers(window[None], state))
            state = tuple(layer.after[:, -1] for layer in layers)
            start = 1 if text.documents and not begin else 0  # the start character
            if start < len(window):
                read = [LayerRead(cell, *(part[:, start:] for part in parts)) for cell, *parts in layers]
                yield slice(place + begin + start, place + begin + len(window)), read
