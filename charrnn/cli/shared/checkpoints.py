"""Where checkpoints go, and which one is meant; knows names and places, not what is in them."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.checkpoint import PREVIOUS, SUFFIX, last_path
from charrnn.cli.shared.terminal import say
from charrnn.errors import CheckpointError, UsageError

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What a file system without locks answers, such as NFS without its lock daemon."""
FOLDER = Path("checkpoints")
"""The folder for checkpoints, below the one that charrnn runs in."""


def place(out: str | None, default_name: str) -> Path:
    """The file for a new checkpoint: `--out` as a path, if there is a folder in it, or else as a name in checkpoints/.

    Raises:
        UsageError: `--out` is no name, or not UTF-8.
    """
    # What is no UTF-8 in the name of a text: safetensors writes such names, but does not read them.
    name = out or "".join("_" if "\ud800" <= character <= "\udfff" else character for character in default_name)
    if name != os.fsencode(name).decode("utf-8", "replace"):
        raise UsageError(f"--out {name}: is not UTF-8; say another name")
    path = Path(name) if os.sep in name else FOLDER / name
    if path.name in ("", "..") or name.endswith((os.sep, ".")):
        raise UsageError(f"--out {name}: is a folder; name a file, such as {path / default_name}")
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def refuse_to_overwrite(path: Path, force: bool, is_training: bool = False) -> None:
    """Raise UsageError where a checkpoint would be lost."""
    go_on = ", --resume to go on with it" * is_training
    for one in (path, *((last_path(path), last_path(path, PREVIOUS)) if is_training else ())):
        if one.exists() and not force:
            raise UsageError(f"{one}: exists; say --force to overwrite it{go_on}, or --out NAME for another")


def forget_last(path: Path) -> None:
    """Take away the last states of an earlier training of that name, from which a new one must not be resumed."""
    for one in (last_path(path), last_path(path, PREVIOUS)):
        one.unlink(missing_ok=True)


def check_writable(path: Path, option: str = "--out") -> None:
    """Raise CheckpointError now, not after the work, if no file can be made beside the checkpoint, or none so named."""
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
            path.with_name(f".{path.name}-last.part").lstat()  # as long as the longest name that is made of it
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; say a shorter one with {option}") from error


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Keep the name of a checkpoint from other processes; the system frees it when this one ends, however it does.

    Raises:
        CheckpointError: another process has it, or another user has left a lock file there.
    """
    lock = _locked(path)
    try:
        yield
    finally:
        if lock:
            lock.release()


def _locked(path: Path) -> FileLock | None:
    """The lock of a checkpoint's name; None where the file system has no locks."""
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise CheckpointError(
            f"{path}: another process is writing it; wait for its end, or say another name with --out"
        ) from None
    except PermissionError:
        raise CheckpointError(
            f"{path}: cannot be reserved: the lock file {file} belongs to another user, whose charrnn has made it; "
            "delete that file if no charrnn is writing there, or say another name with --out"
        ) from None
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    else:
        return lock
    say(f"note: this file system has no locks, so nothing keeps another process from writing {path} too")
    return None


def find(name: str) -> Path:
    """The checkpoint that a name means: that name in checkpoints/, or the path as it is.

    A path that ends as checkpoints do is taken as it is first. Another file beside a checkpoint of the same name, such
    as the text that it was trained on, is not meant.
    """
    path = Path(name)
    in_folder = (FOLDER / f"{name}{SUFFIX}", FOLDER / name)
    candidates = (path, *in_folder) if path.suffix == SUFFIX else (*in_folder, path)
    return next((one for one in candidates if one.is_file()), path)
