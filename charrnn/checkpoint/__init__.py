"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows all kinds of models.

The tensors are the model. One JSON string in the file's metadata, under the key "charrnn", has the rest: see Metadata.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from charrnn.checkpoint.build import load_weights
from charrnn.checkpoint.format import HEADER_KEY, Checkpoint, Model, ResumeState, components, split_mixture, with_prefix
from charrnn.checkpoint.io import (
    LAST,
    PREVIOUS,
    last_path,
    list_checkpoints,
    load,
    load_resume_state,
    newest_checkpoint,
    save,
)

__all__ = [
    "HEADER_KEY",
    "LAST",
    "PREVIOUS",
    "Checkpoint",
    "Model",
    "ResumeState",
    "components",
    "last_path",
    "list_checkpoints",
    "load",
    "load_resume_state",
    "load_weights",
    "newest_checkpoint",
    "save",
    "split_mixture",
    "with_prefix",
]
