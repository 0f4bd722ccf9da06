"""The states of a network after each character of a text."""

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
"""Maximum number of values in a trace (256 MB)."""


@dataclass(frozen=True)
class Trace:
    """The activations of all units of a network after each of N characters.

    Attributes:
        groups: names of the parts of the state, such as "layer 1 h".
        width: H, the number of units in each part.
        values: (N, U) activations in single precision, U = H · number of parts, in their order.
    """

    groups: tuple[str, ...]
    width: int
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.groups) * self.width

    def name(self, unit: int) -> str:
        """Return the name of a unit, such as "layer 1 h 17", counted from 1."""
        return f"{self.groups[unit // self.width]} {unit % self.width + 1}"

    @property
    def has_cells(self) -> bool:
        """Whether a layer's state is more than its output, as in an LSTM."""
        return any(not group.endswith(" h") for group in self.groups)

    @property
    def top(self) -> slice:
        """The output units of the last layer."""
        layer = self.groups[-1].rpartition(" ")[0]
        first = next(i for i, group in enumerate(self.groups) if group.startswith(f"{layer} "))
        return slice(first * self.width, (first + 1) * self.width)


def record_states(network: RecurrentModel, text: TextSpan, progress: Progress | None = None) -> Trace:
    """Record all states while reading a text; the end of the text is cut off beyond MAX_NUMBERS values."""
    groups = network.unit_groups
    width = network.config.hidden_size
    text = text[: max(1, MAX_NUMBERS // (len(groups) * width))]
    values = np.empty((len(text), len(groups) * width), np.float32)
    for places, layers in read_layers(network, text):
        values[places] = torch.cat([layer.after[0] for layer in layers], -1).float().cpu().numpy()
        if progress:
            progress(places.stop, len(text))
    return Trace(groups, width, values)


@torch.inference_mode()
def read_layers(network: RecurrentModel, text: TextSpan) -> Iterator[tuple[slice, list[LayerRead]]]:
    """Read a text in chunks; yield the positions of each chunk and, for each layer, (1, T, ...) inputs and states."""
    for tokens, place in readings(text):
        for begin, _, layers in read_chunks(network, tokens, CHUNK_CHARS):
            length = layers[0].inputs.shape[1]
            start = 1 if text.documents and not begin else 0  # skip the start character
            if start < length:
                read = [LayerRead(cell, *(part[:, start:] for part in parts)) for cell, *parts in layers]
                yield slice(place + begin + start, place + begin + length), read


@torch.inference_mode()
def read_chunks(
    network: RecurrentModel, tokens: NDArray[np.int64], size: int
) -> Iterator[tuple[int, State, list[LayerRead]]]:
    """Read (L,) ids from the empty state, `size` at a time; yield where each chunk begins, the state there, the layers.

    The state is that of the layers alone.
    """
    # A text read in order is a batch of one: more threads gain nothing, and on a busy machine they wait for each other.
    # There nn.LSTM took 1.1 s instead of 0.04 s for 2,048 characters.
    one_thread = fixed_threads(1)
    state = network.empty_state(1)
    for begin in range(0, len(tokens), size):
        window = torch.from_numpy(tokens[begin : begin + size])
        with one_thread.piece():
            layers = list(network.layers(window[None], state))
            after = network(window[None], state)[1]
        yield begin, network.layer_states(state), layers
        state = after
