"""Checkpoint paths from `--out` and from names, and locks on them. Opens no checkpoint."""

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
    """The file for a new checkpoint: `--out` as a path, if it has a folder in it, otherwise as a name in checkpoints/.

    Raises:
        UsageError: `--out` is a folder, or not UTF-8.
    """
    # A text's file name may not be UTF-8: safetensors writes such names, but cannot open them.
    name = out or "".join("_" if "\ud800" <= character <= "\udfff" else character for character in default_name)
    if name != os.fsencode(name).decode("utf-8", "replace"):
        raise UsageError(f"--out {name}: is not UTF-8; say another name")
    path = Path(name) if os.sep in name else CHECKPOINT_FOLDER / name
    if path.name in ("", "..") or name.endswith((os.sep, ".")):
        raise UsageError(f"--out {name}: is a folder; name a file, such as {path / default_name}")
    return path if path.suffix == CHECKPOINT_SUFFIX else path.with_name(path.name + CHECKPOINT_SUFFIX)


def refuse_to_overwrite(path: Path, force: bool, is_training: bool = False) -> None:
    """Raise UsageError if a checkpoint would be overwritten without --force."""
    or_resume = ", --resume to go on with it" * is_training
    for existing in (path, *((last_path(path), last_path(path, PREVIOUS)) if is_training else ())):
        if existing.exists() and not force:
            raise UsageError(f"{existing}: exists; say --force to overwrite it{or_resume}, or --out NAME for another")


def delete_resume_files(path: Path) -> None:
    """Delete the latest states of an earlier training of this name: a new training must not be resumed from them."""
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
            f"{path.parent}: cannot be written to: {error.strerror}; say another place with {option}"
        ) from error
    try:
        with suppress(FileNotFoundError):
            path.with_name(f".{path.name}-last.part").lstat()  # the longest name derived from it
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; say a shorter one with {option}") from error


def locked(path: Path) -> AbstractContextManager[object]:
    """Lock a checkpoint against other processes; the system releases the lock when this one ends, however it does.

    Raises:
        CheckpointError: another process holds the lock, or another user has left a lock file there.
    """
    file = path.with_name(f".{path.name}.lock")
    try:
        return FileLock(file, blocking=False).acquire()
    except Timeout:
        raise CheckpointError(
            f"{path}: another process is writing it; wait for its end, or say another name with --out"
        ) from None
    except PermissionError:
        raise CheckpointError(
            f"{path}: cannot be reserved: the lock file {file} belongs to another user, whose charrnn has made it; "
            "delete that file if no charrnn is writing there, or say another name with --out"
        ) from None
    except OSError as error:
        if error.errno not in LOCKS_UNSUPPORTED:
            raise
    except NotImplementedError:
        pass
    log(f"note: this file system has no locks, so nothing keeps another process from writing {path} too")
    return nullcontext()


def find_checkpoint(name: str | None) -> Path:
    """The checkpoint of a name: that name in checkpoints/, or a path; the newest one in checkpoints/ of None.

    A path with the suffix of checkpoints is looked up first. Any other file comes last, so that the name `novel` means
    checkpoints/novel.safetensors, even if there is a text of that name.
    """
    if name is None:
        return newest_checkpoint(CHECKPOINT_FOLDER)
    path = Path(name)
    in_folder = (CHECKPOINT_FOLDER / f"{name}{CHECKPOINT_SUFFIX}", CHECKPOINT_FOLDER / name)
    candidates = (path, *in_folder) if path.suffix == CHECKPOINT_SUFFIX else (*in_folder, path)
    return next((candidate for candidate in candidates if candidate.is_file()), path)
