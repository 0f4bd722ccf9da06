"""File names of checkpoints, and the checkpoints of a folder. Opens no file."""

from __future__ import annotations

import os
from pathlib import Path

from charrnn.errors import CheckpointError
from charrnn.paths import CHECKPOINT_SUFFIX

LAST, PREVIOUS = "-last", "-previous"
"""Endings of the stem for the latest state of a training, which may not be its best one, and for the one before it."""


def last_path(path: Path, ending: str = LAST) -> Path:
    """The file for the latest state, or the one before it, of the training whose best state goes to `path`."""
    return path.with_name(path.name.removesuffix(CHECKPOINT_SUFFIX) + ending + CHECKPOINT_SUFFIX)


def best_path(path: Path) -> Path:
    """The file for the best state of the training that `path`, its best, latest or previous state, belongs to."""
    stem = path.name.removesuffix(CHECKPOINT_SUFFIX).removesuffix(LAST).removesuffix(PREVIOUS)
    return path.with_name(stem + CHECKPOINT_SUFFIX)


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first; of a training that has its best state there, only that."""
    files = [path for path in folder.glob(f"*{CHECKPOINT_SUFFIX}") if path.is_file()]
    files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    names = {path.name for path in files}
    return [path for path in files if not _has_better(path, names)]


def newest_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of a folder.

    Raises:
        CheckpointError: there is none.
    """
    paths = list_checkpoints(folder)
    if not paths:
        raise CheckpointError(
            f"there is no checkpoint in {folder}{os.sep}; make one with `charrnn train shakespeare.txt`"
        )
    return paths[0]


def _has_better(path: Path, names: set[str]) -> bool:
    stem = path.name.removesuffix(CHECKPOINT_SUFFIX)
    return any(
        stem.endswith(ending) and stem.removesuffix(ending) + CHECKPOINT_SUFFIX in names for ending in (LAST, PREVIOUS)
    )
