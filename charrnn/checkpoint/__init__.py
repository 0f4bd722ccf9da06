"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows every kind of model.

The weights are the file's tensors. One JSON string in its metadata, under the key "charrnn", holds the rest: see Facts.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from charrnn.checkpoint.build import fill
from charrnn.checkpoint.format import KEY, Checkpoint, Model, Ongoing, below, parts, taken_apart
from charrnn.checkpoint.names import LAST, PREVIOUS, SUFFIX, checkpoints_in, last_path, newest
from charrnn.checkpoint.reading import load, load_ongoing
from charrnn.checkpoint.writing import save

__all__ = [
    "KEY",
    "LAST",
    "PREVIOUS",
    "SUFFIX",
    "Checkpoint",
    "Model",
    "Ongoing",
    "below",
    "checkpoints_in",
    "fill",
    "last_path",
    "load",
    "load_ongoing",
    "newest",
    "parts",
    "save",
    "taken_apart",
]
