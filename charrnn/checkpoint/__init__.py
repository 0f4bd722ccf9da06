"""Checkpoints: one safetensors file with everything needed to sample, score and compare, for all kinds of models.

The tensors are the model. Everything else is one JSON string in the file's metadata, under the key "charrnn"; see
`Metadata`. Nothing is pickled, so a checkpoint from an untrusted source may be wrong, but cannot run code.
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
