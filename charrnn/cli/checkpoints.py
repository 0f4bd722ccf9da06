"""Where checkpoints go, and which one is meant; knows names and places, not what is in them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from charrnn.checkpoint import SUFFIX
from charrnn.errors import CheckpointError, UsageError

FOLDER = Path("checkpoints")
"""The folder for checkpoints, below the one that charrnn runs in."""


def place(out: str | None, default_name: str) -> Path:
    """The file for a new checkpoint: `--out` as a path, if there is a folder in it, or else as a name in checkpoints/.

    Raises:
        UsageError: `--out` is no name.
    """
    name = out or default_name
    path = Path(name) if os.sep in name else FOLDER / name
    if path.name in ("", "..") or name.endswith((os.sep, ".")):
        raise UsageError(f"--out {name}: is a folder; name a file, such as {path / default_name}")
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Raise UsageError where a checkpoint would be lost."""
    if path.exists() and not force:
        raise UsageError(f"{path}: exists; say --force to overwrite it, or --out NAME for another")


def check_writable(path: Path) -> None:
    """Raise CheckpointError now, not after the work, if no file can be made beside the checkpoint."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise CheckpointError(
            f"{path.parent}: cannot be written to: {error.strerror}; say another place with --out"
        ) from error


def find(name: str) -> Path:
    """The checkpoint that a name means: the path as it is, or that name in checkpoints/."""
    path = Path(name)
    candidates = (path, FOLDER / name, FOLDER / f"{name}{SUFFIX}")
    return next((one for one in candidates if one.is_file()), path)
