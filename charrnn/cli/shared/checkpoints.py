"""Checkpoint paths from `--out` and from names, and locks on checkpoints. Opens no checkpoint."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.checkpoint import PREVIOUS, last_path, newest_checkpoint
from charrnn.cli.shared.terminal import log
from charrnn.errors import CheckpointError, UsageError
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX

LOCKS_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""errno values of a file system without locks, such as NFS without its lock daemon."""


def checkpoint_path(out: str | None, default_name: str) -> Path:
    """Return the file for a new checkpoint: `--out` as a path if it contains a folder, or as a name in checkpoints/.

    Raises:
        UsageError: `--out` is a folder, or not UTF-8.
    """
    # The file name of a text may not be UTF-8: safetensors writes such names, but cannot open them.
    name = out or "".join("_" if "\ud800" <= character <= "\udfff" else character for character in default_name)
    if name != os.fsencode(name).decode("utf-8", "replace"):
        raise UsageError(f"--out {name}: not valid UTF-8; choose another name")
    path = Path(name) if os.sep in name else CHECKPOINT_FOLDER / name
    if path.name in ("", "..") or name.endswith((os.sep, ".")):
        raise UsageError(f"--out {name}: is a folder; pass a file name, such as {path / default_name}")
    return path if path.suffix == CHECKPOINT_SUFFIX else path.with_name(path.name + CHECKPOINT_SUFFIX)


def refuse_to_overwrite(path: Path, force: bool, is_training: bool = False) -> None:
    """Raise UsageError if a checkpoint would be overwritten without --force."""
    or_resume = ", --resume to continue" * is_training
    for existing in (path, *((last_path(path), last_path(path, PREVIOUS)) if is_training else ())):
        if existing.exists() and not force:
            raise UsageError(f"{existing}: exists; use --force to overwrite{or_resume}, or --out for another name")


def delete_resume_files(path: Path) -> None:
    """Delete the resume files of an earlier training of this name: a new training must not be resumed from them."""
    for state in (last_path(path), last_path(path, PREVIOUS)):
        state.unlink(missing_ok=True)


def check_writable(path: Path, option: str = "--out") -> None:
    """Raise CheckpointError now, not after the work, if a file cannot be created in this folder or with this name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise CheckpointError(
            f"{path.parent}: cannot write to this folder: {error.strerror}; choose another one with {option}"
        ) from error
    try:
        with suppress(FileNotFoundError):
            path.with_name(f".{path.name}-last.part").lstat()  # the longest file name derived from this path
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; choose a shorter name with {option}") from error


def locked(path: Path) -> AbstractContextManager[object]:
    """Lock a checkpoint against other processes; the system releases the lock when this process ends, even if killed.

    Raises:
        CheckpointError: another process holds the lock, or the lock file belongs to another user.
    """
    file = path.with_name(f".{path.name}.lock")
    try:
        return FileLock(file, blocking=False).acquire()
    except Timeout:
        raise CheckpointError(
            f"{path}: another process is writing this checkpoint; wait for it to finish, or choose another name with "
            "--out"
        ) from None
    except PermissionError:
        raise CheckpointError(
            f"{path}: cannot be locked: the lock file {file} belongs to another user; delete {file.name} if no other "
            "charrnn is running there, or choose another name with --out"
        ) from None
    except OSError as error:
        if error.errno not in LOCKS_UNSUPPORTED:
            raise
    except NotImplementedError:
        pass
    log(f"note: this file system does not support locks; make sure that no other process writes {path}")
    return nullcontext()


def find_checkpoint(name: str | None) -> Path:
    """Find a checkpoint by name in checkpoints/ or by path; None: the newest checkpoint in checkpoints/.

    A path that ends with .safetensors is looked up first. Any other path comes last, so that the name `novel` means
    checkpoints/novel.safetensors, even if there is a text called `novel`.
    """
    if name is None:
        return newest_checkpoint(CHECKPOINT_FOLDER)
    path = Path(name)
    in_folder = (CHECKPOINT_FOLDER / f"{name}{CHECKPOINT_SUFFIX}", CHECKPOINT_FOLDER / name)
    candidates = (path, *in_folder) if path.suffix == CHECKPOINT_SUFFIX else (*in_folder, path)
    return next((candidate for candidate in candidates if candidate.is_file()), path)
