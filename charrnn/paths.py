"""Folders of texts and checkpoints, relative to the current folder, and the suffix of checkpoints."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT_FOLDER = Path("checkpoints")
"""The folder of new checkpoints, and of checkpoints that are given by name."""
CHECKPOINT_SUFFIX = ".safetensors"
"""The suffix of every checkpoint file."""
DATA_FOLDER = Path("data")
"""The folder that known texts are fetched into, and in which texts are looked up by name."""
