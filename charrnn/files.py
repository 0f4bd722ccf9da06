"""Atomic writes: whoever opens a file, even after a crash, finds the old content or the new one, never a part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, previous: Path | None = None, is_locked: bool = False) -> Iterator[Path]:
    """Replace a file by what is written to a temporary path beside it, unless an exception is raised.

    The new content is flushed to the disk before it gets the file's name. Its permissions are those of any new file
    (0666 without the umask). A symbolic link stays one: the file that it points to is replaced.

    Args:
        path: the file; its folder is created if it is missing.
        previous: another name, under which the replaced file is kept.
        is_locked: no other process writes this file now. Then the temporary path has a fixed name, so that one left
            behind by a killed process is overwritten; otherwise it has the process id in it.

    Yields:
        The temporary path, an empty file.

    Raises:
        OSError: the file cannot be written; it is unchanged, and the temporary file is gone. `filename` is the file.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = path.with_name(f".{path.name}.part" if is_locked else f".charrnn-{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some writers, such as safetensors, replace the file by one that is private
        _flush(temporary, os.O_RDWR)
        if previous and path.exists():
            _keep(path, previous)
        temporary.replace(path)
        with suppress(OSError):  # not every system can flush a folder, and the file is complete anyway
            _flush(path.parent, os.O_RDONLY)  # otherwise a power failure may lose the new name
    except OSError as error:
        if error.filename is not None:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(path: Path, flags: int) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep(path: Path, previous: Path) -> None:
    """Give a file a second name; a file that has that name already is replaced."""
    link = path.with_name(f".{path.name}.old")
    try:
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(previous)
    except OSError:  # not every file system has hard links
        path.replace(previous)
