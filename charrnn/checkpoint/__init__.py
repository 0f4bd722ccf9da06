"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows all kinds of models.

The tensors are the model. One JSON string in the file's metadata, under the key "charrnn", has the rest: see Facts.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from charrnn.checkpoint.build import fill
from charrnn.checkpoint.format import KEY, Checkpoint, Model, Ongoing, below, parts, taken_apart
from charrnn.checkpoint.io import load, load_ongoing, save
from charrnn.checkpoint.names import LAST, PREVIOUS, SUFFIX, checkpoints_in, last_path, newest

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
