"""Atomic writes: a file always has its old or its new content, never a part of either, even after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, previous: Path | None = None, is_locked: bool = False) -> Iterator[Path]:
    """Replace a file by a temporary file that is written in this context, unless an exception is raised.

    The new content is flushed to the disk before it gets the name of the file. Permissions are those of any new file
    (0666 without the umask). A symbolic link stays a link: its target is replaced.

    Args:
        path: the file; its folder is created if it is missing.
        previous: a name under which the replaced file is kept.
        is_locked: whether no other process writes this file. If so, the temporary file has a fixed name, so that a file
            left behind by a killed process is overwritten; otherwise its name contains the process id.

    Yields:
        The path of the temporary file, which is in the same folder and empty.

    Raises:
        OSError: the file cannot be written and is unchanged; the temporary file is deleted. `filename` is the file.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = path.with_name(f".{path.name}.part" if is_locked else f".charrnn-{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some writers, such as safetensors, replace the file by a private one
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
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep(path: Path, previous: Path) -> None:
    """Give a file a second name, replacing any file of that name."""
    link = path.with_name(f".{path.name}.old")
    try:
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(previous)
    except OSError:  # not every file system has hard links
        path.replace(previous)
