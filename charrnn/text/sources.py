"""The sources of a text, as chunks of bytes: plain files, compressed files and standard input.

gzip, bzip2 and xz files are recognized by their first bytes and decompressed while they are read, so memory use stays
at one chunk however large the decompressed text is. A text is read twice; standard input is therefore first copied to
an unnamed temporary file (in the folder given by TMPDIR).
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from charrnn.errors import TextError, UsageError

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

CHUNK_SIZE = 1 << 18
"""The number of bytes read at a time. Small, because chunks of pure ASCII are decoded faster than others."""
STANDARD_INPUT = Path("-")
"""The path that means standard input. (A file of this name is `./-` on the command line, an absolute path here.)"""
MAX_OPEN_FILES = 100
"""The number of files kept open between the two passes, so that they cannot be replaced; the usual limit is 1,024."""
MAX_XZ_MEMORY = 1 << 28
"""The memory limit, in bytes, for decompressing xz; files made by `xz -9` need 65 MB."""
PACKED = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
"""The first bytes of compressed files."""
BEGINNING = 16
"""The number of bytes needed to recognize a compressed file."""
PACKED_ENDINGS = (".gz", ".bz2", ".xz")
"""The suffixes of compressed files."""
TEMPORARY_FOLDER_ERROR = (
    "cannot write to the folder for temporary files: {}; set the environment variable TMPDIR to another folder"
)
"""The error message for a full temporary folder; takes the reason."""


@contextmanager
def open_text_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that may be a text; devices and pipes are rejected without opening them.

    Raises:
        TextError: the path is not a regular file, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise TextError(f"{path}: is a folder; use a file in it")
        if not stat.S_ISREG(mode):
            raise TextError(f"{path}: is not a regular file; save the text to a file first")
        file = path.open("rb")
    except FileNotFoundError:
        raise TextError(f"{path}: not found; check the name") from None
    except OSError as error:
        raise unreadable_file_error(str(path), error) from error
    with file:
        yield file


@contextmanager
def _copied_input(progress: Callable[[int], None]) -> Iterator[BinaryIO]:
    """Open a temporary file that contains all of standard input."""
    done = 0
    with ExitStack() as stack:
        try:
            file = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile(prefix="charrnn-")))
            while raw := _read_input():
                file.write(raw)
                done += len(raw)
                progress(done)
            file.flush()
        except OSError as error:
            raise TextError(f"standard input: {TEMPORARY_FOLDER_ERROR.format(error.strerror)}") from error
        yield file


def _read_input() -> bytes:
    try:
        return sys.stdin.buffer.read(CHUNK_SIZE)
    except OSError as error:
        raise unreadable_file_error("standard input", error) from error


class TextSource:
    """One file, or standard input, that can be read more than once.

    Attributes:
        path: the file; `-` for standard input.
        file: the open file; None to open `path` for each pass.
        size: its size in bytes, before decompression.
    """

    def __init__(self, path: Path, file: BinaryIO | None) -> None:
        self.path, self.file = path, file
        self.name = describe_paths((str(path),))
        with self._opened() as file_now:
            self.size = _size_of(file_now)

    def pieces(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        """Yield all bytes, decompressed; `progress` is called with the number of bytes read from the file.

        Raises:
            TextError: the file cannot be read, is damaged, or has changed its size (a growing file has no end).
        """
        with self._opened() as file:
            if _size_of(file) != self.size:
                raise changed_file_error(self.name)
            file.seek(0)
            beginning = file.read(BEGINNING)
            exact = _Exact(file, self.size, self.name)
            compression = next((name for name, pattern in PACKED.items() if pattern.match(beginning)), None)
            try:
                for piece in _unpacked(exact, compression):
                    progress(exact.done)
                    yield piece
                if _size_of(file) != self.size:
                    raise changed_file_error(self.name)
                progress(exact.done)
            except (EOFError, zlib.error, lzma.LZMAError) as error:
                raise self._damaged(compression, error) from error
            except OSError as error:
                if error.errno is None:  # from gzip or bz2, not from the system
                    raise self._damaged(compression, error) from error
                raise unreadable_file_error(self.name, error) from error

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        return nullcontext(self.file) if self.file else open_text_file(self.path)

    def _damaged(self, compression: str | None, error: Exception) -> TextError:
        if "limit" in str(error).lower():
            return TextError(
                f"{self.name}: decompressing takes too much memory ({compression}); decompress the file first"
            )
        if isinstance(error, EOFError):
            return TextError(
                f"{self.name}: is compressed ({compression}) but truncated; download or compress the file again"
            )
        return TextError(
            f"{self.name}: is compressed ({compression}) but damaged ({error}); download or compress the file again"
        )


@contextmanager
def sources_of(paths: Sequence[Path], progress: Callable[[int], None]) -> Iterator[list[TextSource]]:
    """Open the files of a text in order; standard input is read at once, with its bytes so far as `progress`.

    Raises:
        TextError: a path is not a regular file, or cannot be read.
        UsageError: standard input is given twice.
    """
    if list(paths).count(STANDARD_INPUT) > 1:
        raise UsageError("-: standard input can only be read once; remove the other -")
    most_open = min(MAX_OPEN_FILES, _file_limit() // 4)
    with ExitStack() as stack:
        sources = []
        for number, path in enumerate(paths):
            if path == STANDARD_INPUT:
                sources.append(TextSource(path, stack.enter_context(_copied_input(progress))))
            else:
                stays_open = number < most_open
                sources.append(TextSource(path, stack.enter_context(open_text_file(path)) if stays_open else None))
        yield sources


def _file_limit() -> int:
    """Return the number of files that this process may have open."""
    if resource is None:  # Windows has other limits
        return 4 * MAX_OPEN_FILES
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4 * MAX_OPEN_FILES if limit == resource.RLIM_INFINITY else limit


def describe_paths(names: Sequence[str]) -> str:
    """Return a short description of the files of a text; a Python string has no files."""
    if not names:
        return "the text"
    first = "standard input" if names[0] == str(STANDARD_INPUT) else names[0]
    more = len(names) - 1
    return f"{first} and {more} more file{'s' * (more > 1)}" if more else first


def stem_of(paths: Sequence[Path]) -> str:
    """Return a name, never empty, for what is made from these files."""
    first = Path("stdin") if paths[0] == STANDARD_INPUT else paths[0]
    if first.suffix in PACKED_ENDINGS:
        first = first.with_suffix("")
    stem = first.stem or first.name or "text"
    return f"{stem}-and-{len(paths) - 1}-more" if len(paths) > 1 else stem


def changed_file_error(name: str) -> TextError:
    """Return the error for a file that changed between the two passes."""
    return TextError(f"{name}: the file changed while it was being read; try again, or use a copy of the file")


def unreadable_file_error(name: str, error: OSError) -> TextError:
    """Return the error for a file that the system refuses to read."""
    return TextError(f"{name}: cannot be read: {error.strerror}; use another file")


class _Exact:
    """A file that yields exactly `size` bytes from its start, with the methods that decompressors need."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self.file, self.size, self.name, self.done = file, size, name, 0
        file.seek(0)

    def read(self, number: int = -1) -> bytes:
        left = self.size - self.done
        raw = self.file.read(min(number, left) if number >= 0 else left)
        if not raw and left and number:
            raise changed_file_error(self.name)
        self.done += len(raw)
        return raw


def _unpacked(file: _Exact, compression: str | None) -> Iterator[bytes]:
    if compression == "xz":
        yield from _from_xz(file)
        return
    unpacking = cast("BinaryIO", file)
    if compression == "gzip":
        unpacking = cast("BinaryIO", gzip.GzipFile(fileobj=unpacking))
    elif compression == "bzip2":
        unpacking = cast("BinaryIO", bz2.BZ2File(unpacking))
    while piece := unpacking.read(CHUNK_SIZE):
        yield piece


def _from_xz(file: _Exact) -> Iterator[bytes]:
    """Decompress xz with a memory limit, which `lzma.LZMAFile` lacks; streams may be concatenated, zeros in between."""
    raw = file.read(CHUNK_SIZE)
    while raw:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
        while not unpacker.eof:
            if unpacker.needs_input and not raw:
                raw = file.read(CHUNK_SIZE)
                if not raw:
                    raise EOFError
            if piece := unpacker.decompress(raw, CHUNK_SIZE):
                yield piece
            raw = b""
        raw = unpacker.unused_data.lstrip(b"\0")
        while not raw and (more := file.read(CHUNK_SIZE)):
            raw = more.lstrip(b"\0")


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
