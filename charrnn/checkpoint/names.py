"""How checkpoints are called, and which of a folder is meant; knows nothing of what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from charrnn.errors import CheckpointError

SUFFIX = ".safetensors"
LAST, PREVIOUS = "-last", "-previous"
"""End the names of the state that a training is in, which may not be its best, and of the one saved before."""


def last_path(path: Path, ending: str = LAST) -> Path:
    """The file for the last state, or the one before it, of the training whose best goes to `path`."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ending + SUFFIX)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first; where a training has a best and a last one, the best alone."""
    files = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file()]
    found = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    names = {path.name for path in found}
    return [path for path in found if not _has_better(path, names)]


def newest(folder: Path) -> Path:
    """The newest checkpoint of a folder.

    Raises:
        CheckpointError: there is none.
    """
    found = checkpoints_in(folder)
    if not found:
        raise CheckpointError(
            f"there is no checkpoint in {folder}{os.sep}; make one with `charrnn train shakespeare.txt`"
        )
    return found[0]


def _has_better(path: Path, names: set[str]) -> bool:
    stem = path.name.removesuffix(SUFFIX)
    return any(stem.endswith(end) and stem.removesuffix(end) + SUFFIX in names for end in (LAST, PREVIOUS))
