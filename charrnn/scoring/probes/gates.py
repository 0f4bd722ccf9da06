"""Gate saturation: how often the gates of a network are shut or open (Karpathy et al., arXiv 1506.02078, figure 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.models.rnn.model import LayerRead, RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.probes.traces import read_layers
from charrnn.text.documents import TextSpan

SHUT, OPEN = 0.1, 0.9
"""A gate below SHUT is left-saturated, a gate above OPEN is right-saturated."""


@dataclass(frozen=True)
class Saturation:
    """The saturation of one gate of a layer over a text.

    Attributes:
        layer: number of the layer, from 1.
        gate: name, such as "forget gate"; "state" for a cell without gates, whose tanh is measured instead.
        left: (H,) share of the characters at which each unit's gate is below SHUT (a state: below −OPEN).
        right: (H,) share of the characters at which each unit's gate or state is above OPEN.
    """

    layer: int
    gate: str
    left: NDArray[np.float64]
    right: NDArray[np.float64]


@torch.inference_mode()
def measure_saturation(
    network: RecurrentModel, text: TextSpan, progress: Progress | None = None
) -> tuple[Saturation, ...]:
    """Measure how often each unit's gates are saturated, layer by layer."""
    left: dict[tuple[int, str], Tensor] = {}
    right: dict[tuple[int, str], Tensor] = {}
    for places, layers in read_layers(network, text):
        for number, layer in enumerate(layers, 1):
            for gate, (low, high) in count_saturated(layer).items():
                key = number, gate
                left[key], right[key] = left.get(key, 0) + low, right.get(key, 0) + high
        if progress:
            progress(places.stop, len(text))
    return tuple(
        Saturation(number, gate, (low / len(text)).numpy(), (right[number, gate] / len(text)).numpy())
        for (number, gate), low in left.items()
    )


def count_saturated(layer: LayerRead) -> dict[str, tuple[Tensor, Tensor]]:
    """Count, for each gate of a layer, the steps at which each unit is shut, and open, (H,) each."""
    names = layer.cell.gate_names
    if not layer.cell.has_unit_state:
        return {}
    if not names:
        return {"state": _count_outside(layer.after, -OPEN, OPEN)}
    gates = layer.cell.gates(layer.inputs, layer.before)
    return {name: _count_outside(gates[letter], SHUT, OPEN) for letter, name in names.items()}


def _count_outside(values: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    rows = values.flatten(0, 1)
    return (rows < low).sum(0).cpu().double(), (rows > high).sum(0).cpu().double()
