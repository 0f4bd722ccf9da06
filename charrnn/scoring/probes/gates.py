"""How often the gates of a network are shut or open: figure 3 of Karpathy, Johnson and Li (arXiv 1506.02078)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.rnn.model import LayerRead, RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.probes.traces import pieces
from charrnn.text.documents import TextSpan

SHUT, OPEN = 0.1, 0.9
"""A gate below and above these is called left-saturated and right-saturated."""


@dataclass(frozen=True)
class Saturation:
    """A gate of a layer, over a text.

    Attributes:
        layer: counted from 1.
        gate: such as "forget gate"; "state" for a cell without gates, whose tanh is looked at.
        left: (H,) the share of the characters at which the gate of a unit is below SHUT; of a state: below −OPEN.
        right: (H,) at which it is above OPEN.
    """

    layer: int
    gate: str
    left: NDArray[np.float64]
    right: NDArray[np.float64]


@torch.inference_mode()
def saturation(network: RecurrentModel, text: TextSpan, progress: Progress | None = None) -> tuple[Saturation, ...]:
    """How often each unit's gates are saturated, layer by layer."""
    left: dict[tuple[int, str], Tensor] = {}
    right: dict[tuple[int, str], Tensor] = {}
    for places, layers in pieces(network, text):
        for number, layer in enumerate(layers, 1):
            for gate, (low, high) in counts(layer).items():
                key = number, gate
                left[key], right[key] = left.get(key, 0) + low, right.get(key, 0) + high
        if progress:
            progress(places.stop, len(text))
    return tuple(
        Saturation(number, gate, (low / len(text)).numpy(), (right[number, gate] / len(text)).numpy())
        for (number, gate), low in left.items()
    )


def counts(layer: LayerRead) -> dict[str, tuple[Tensor, Tensor]]:
    """For each gate of a layer: at how many steps it was shut, and open, (H,) each."""
    names = layer.cell.gate_names
    if not names:
        return {"state": _counted(layer.after, -OPEN, OPEN)}
    gates = layer.cell.gates(layer.inputs, layer.before)
    return {name: _counted(gates[letter], SHUT, OPEN) for letter, name in names.items()}


def _counted(values: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    rows = values.flatten(0, 1)
    return (rows < low).sum(0).cpu().double(), (rows > high).sum(0).cpu().double()
