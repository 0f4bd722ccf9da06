"""Where charrnn keeps things, relative to the folder that it runs in, and how its checkpoints are called."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT_FOLDER = Path("checkpoints")
"""The folder for new checkpoints, and for those that are named without a folder."""
CHECKPOINT_SUFFIX = ".safetensors"
"""The suffix of every checkpoint file."""
DATA_FOLDER = Path("data")
"""The folder that known texts are downloaded into, and in which texts are looked up by name."""
