"""The part of the report about attention: how far each head looks, and at what; the weights for the page's script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.formatting import percent, plural
from charrnn.report.view.pictures import attention_picture
from charrnn.scoring.probes.attention import SEEN, HeadWeights
from charrnn.text.documents import TextSpan

MAX_BYTES = 1_000_000
"""Maximum size of the weights of all layers on a page."""
MUCH = 2
"""A share is emphasized if it is this many times that of a head that looks at its whole window evenly."""
LITTLE = 0.02
"""Smaller shares are never emphasized."""


def describe_attention(layers: Sequence[HeadWeights], read: int, shown: int, length: int) -> dict[str, Any]:
    """Return the template's variables.

    Args:
        layers: the measurements, of at least one layer.
        read: the number of characters of the measurement.
        shown: the number of characters on the page that have weights.
        length: the number of characters on the page.
    """
    *others, last = (str(layer.layer) for layer in layers)
    which = f"Layers {', '.join(others)} and {last} have" if others else f"Layer {last} has"
    heads = plural(layers[0].heads, "head") + " each" * bool(others)
    bound = "" if shown == length else f" To keep the page small, only the first {shown:,} characters have weights."
    return {
        "sentence": (
            f"{which} attention, with {heads}. To predict a character, a head looks at the last "
            f"{layers[0].window:,} characters, with weights that sum to 100%. Select a head to shade the text above by "
            f"its weights for the character at the caret.{bound}"
        ),
        "caption": (
            f"The charts show the share of each head's weight by distance, over {read:,} characters. The last "
            "character read is at distance 1. Bars beyond 3 are for ranges of distances, from the number below to the "
            "next. The dotted line is a head that looks at its whole window evenly, which is also the last row of the "
            "tables. Bold: at least twice the share of that head. A layer looks at what the layer below has put at "
            "each place, which may come from earlier characters."
        ),
        "layers": [_describe_layer(layer) for layer in layers],
    }


def _describe_layer(layer: HeadWeights) -> dict[str, Any]:
    name = f"layer {layer.layer}"
    classes = np.flatnonzero(layer.by_class[-1])
    parts = layer.by_distance, layer.by_class[:, classes]
    distances, shares = (np.vstack((part[:-1].mean(0), part)) for part in parts)
    is_much = shares >= np.maximum(MUCH * shares[-1], LITTLE)
    medians = [int(np.searchsorted(row.cumsum(), row.sum() / 2)) + 1 for row in distances]
    single = [(f"head {number}", f"{name} head {number}") for number in range(1, layer.heads + 1)]
    labels = [("mean of heads", name), *single, ("an even look", "")]
    return {
        "name": name,
        "picture": attention_picture(layer),
        "headers": ("median distance", *(SEEN[number] for number in classes)),
        "rows": [
            {
                "label": label,
                "value": value,
                "median": f"{median:,}",
                "cells": [(percent(share, 0), bool(much)) for share, much in zip(*cells, strict=True)],
            }
            for (label, value), median, *cells in zip(labels, medians, shares, is_much, strict=True)
        ],
    }


def attention_data(layers: Sequence[HeadWeights], text: TextSpan, max_bytes: int = MAX_BYTES) -> dict[str, Any] | None:
    """Return the weights of the first characters of a text, for the script; None for a network without attention.

    Weights are stored as 255 √w, in 8 bits, so that small ones differ; distances as the number of characters skipped,
    in 8 or 16 bits.
    """
    if not layers:
        return None
    count = min(len(text), *(len(layer.counts) for layer in layers))
    width = 1 if max(layer.distances.max(initial=1) for layer in layers) <= 256 else 2
    sizes = sum((1 + width) * layer.counts[:count].sum(1) + 2 * layer.heads for layer in layers)
    count = int(np.searchsorted(np.cumsum(sizes), max_bytes * 3 // 4, side="right"))
    starts = text[:count].starts.tolist() if text.documents else []
    return {"count": count, "starts": starts, "layers": [_layer_data(layer, count, width) for layer in layers]}


def _layer_data(layer: HeadWeights, count: int, width: int) -> dict[str, Any]:
    counts = layer.counts[:count]
    kept = int(counts.sum())
    return {
        "name": f"layer {layer.layer}",
        "heads": layer.heads,
        "width": width,
        "counts": _encoded(counts.ravel(), "<u2"),
        "distances": _encoded(layer.distances[:kept] - 1, f"<u{width}"),
        "weights": _encoded(np.round(255 * np.sqrt(layer.weights[:kept])), "<u1"),
    }


def _encoded(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode("ascii")
