"""What a text is read from, as pieces of bytes: files, packed ones too, and standard input. Knows no characters.

gzip, bzip2 and xz are known by their first bytes, and unpacked as they are read: whatever becomes of a small file, no
more of it than a piece is in memory. Standard input is copied to an unnamed temporary file first (in the folder that
TMPDIR names), for a text is read twice.
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
"""The bytes read at a time: few, for a piece of plain ASCII is read faster than one with other characters in it."""
STANDARD_INPUT = Path("-")
"""The path that means standard input. A file of that name is `./-` on the command line, and an absolute path here."""
MAX_OPEN_FILES = 100
"""The files that stay open between two readings, so that they stay what they are; a process may have 1,024."""
MAX_XZ_MEMORY = 1 << 28
"""The most bytes of memory that unpacking may take; `xz -9` makes files that take 65 MB."""
PACKED = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
"""The first bytes of packed files."""
BEGINNING = 16
"""The bytes that are enough to see how a file begins."""
PACKED_ENDINGS = (".gz", ".bz2", ".xz")
NO_ROOM = (
    "no room for a copy in the folder for temporary files: {}; name another one in the environment variable TMPDIR"
)


@contextmanager
def open_text_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that may be a text; a device or a pipe is not even opened.

    Raises:
        TextError: it is not a regular file, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise TextError(f"{path}: is a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise TextError(f"{path}: is not a regular file; save the text to a file first")
        file = path.open("rb")
    except FileNotFoundError:
        raise TextError(f"{path}: there is no such file") from None
    except OSError as error:
        raise unreadable(str(path), error) from error
    with file:
        yield file


@contextmanager
def _copied_input(progress: Callable[[int], None]) -> Iterator[BinaryIO]:
    """All of standard input, in a file."""
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
            raise TextError(f"standard input: {NO_ROOM.format(error.strerror)}") from error
        yield file


def _read_input() -> bytes:
    try:
        return sys.stdin.buffer.read(CHUNK_SIZE)
    except OSError as error:
        raise unreadable("standard input", error) from error


class TextSource:
    """One file, or standard input, that can be read more than once: open, if it stays so.

    Attributes:
        size: bytes that it has, packed if it is.
    """

    def __init__(self, path: Path, file: BinaryIO | None) -> None:
        self.path, self.file = path, file
        self.name = describe_paths((str(path),))
        with self._opened() as file_now:
            self.size = _size_of(file_now)

    def pieces(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        """All its bytes, unpacked, from the first on; `progress` is called with the bytes of the file that were read.

        Raises:
            TextError: it cannot be read, is damaged, or is not as long as it was: one that grows has no end.
        """
        with self._opened() as file:
            if _size_of(file) != self.size:
                raise changed(self.name)
            file.seek(0)
            begins = file.read(BEGINNING)
            exact = _Exact(file, self.size, self.name)
            how = next((name for name, pattern in PACKED.items() if pattern.match(begins)), None)
            try:
                for piece in _unpacked(exact, how):
                    progress(exact.done)
                    yield piece
                if _size_of(file) != self.size:
                    raise changed(self.name)
                progress(exact.done)
            except (EOFError, zlib.error, lzma.LZMAError) as error:
                raise self._damaged(how, error) from error
            except OSError as error:
                if error.errno is None:  # of gzip and bz2, not of the system
                    raise self._damaged(how, error) from error
                raise unreadable(self.name, error) from error

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        return nullcontext(self.file) if self.file else open_text_file(self.path)

    def _damaged(self, how: str | None, error: Exception) -> TextError:
        if "limit" in str(error).lower():
            return TextError(f"{self.name}: to unpack it takes too much memory ({how}); unpack it first")
        if isinstance(error, EOFError):
            return TextError(f"{self.name}: is compressed ({how}) and cut off before its end; fetch or pack it again")
        return TextError(f"{self.name}: is compressed ({how}) and damaged ({error}); fetch or pack it again")


@contextmanager
def sources_of(paths: Sequence[Path], progress: Callable[[int], None]) -> Iterator[list[TextSource]]:
    """Files that can be read, in this order; standard input is read here, and `progress` called with its bytes so far.

    Raises:
        TextError: one of them is not a regular file, or cannot be read.
        UsageError: standard input is there twice.
    """
    if list(paths).count(STANDARD_INPUT) > 1:
        raise UsageError("-: standard input can be read once; say it once")
    most_open = min(MAX_OPEN_FILES, _file_limit() // 4)
    with ExitStack() as stack:
        sources = []
        for number, path in enumerate(paths):
            if path == STANDARD_INPUT:
                sources.append(TextSource(path, stack.enter_context(_copied_input(progress))))
            else:
                stays = number < most_open
                sources.append(TextSource(path, stack.enter_context(open_text_file(path)) if stays else None))
        yield sources


def _file_limit() -> int:
    """How many files this process may have open."""
    if resource is None:  # Windows has other limits
        return 4 * MAX_OPEN_FILES
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4 * MAX_OPEN_FILES if limit == resource.RLIM_INFINITY else limit


def describe_paths(names: Sequence[str]) -> str:
    """The files of a text in a few words; a text that is in no file, a string in Python, has no names."""
    if not names:
        return "the text"
    first = "standard input" if names[0] == str(STANDARD_INPUT) else names[0]
    more = len(names) - 1
    return f"{first} and {more} more file{'s' * (more > 1)}" if more else first


def stem_of(paths: Sequence[Path]) -> str:
    """A name for what is made from files, that is never empty."""
    first = Path("stdin") if paths[0] == STANDARD_INPUT else paths[0]
    if first.suffix in PACKED_ENDINGS:
        first = first.with_suffix("")
    stem = first.stem or first.name or "text"
    return f"{stem}-and-{len(paths) - 1}-more" if len(paths) > 1 else stem


def changed(name: str) -> TextError:
    """The line for a file that is another one at the end than at the beginning."""
    return TextError(f"{name}: the file changed while it was read; try again, or take a copy of it")


def unreadable(name: str, error: OSError) -> TextError:
    """The line for a file that the system does not let one read."""
    return TextError(f"{name}: cannot be read: {error.strerror}; name another file")


class _Exact:
    """A file of which as many bytes are read as it had, from the first on; what the unpackers need of a file."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self.file, self.size, self.name, self.done = file, size, name, 0
        file.seek(0)

    def read(self, number: int = -1) -> bytes:
        left = self.size - self.done
        raw = self.file.read(min(number, left) if number >= 0 else left)
        if not raw and left and number:
            raise changed(self.name)
        self.done += len(raw)
        return raw


def _unpacked(file: _Exact, how: str | None) -> Iterator[bytes]:
    if how == "xz":
        yield from _from_xz(file)
        return
    unpacking = cast("BinaryIO", file)
    if how == "gzip":
        unpacking = cast("BinaryIO", gzip.GzipFile(fileobj=unpacking))
    elif how == "bzip2":
        unpacking = cast("BinaryIO", bz2.BZ2File(unpacking))
    while piece := unpacking.read(CHUNK_SIZE):
        yield piece


def _from_xz(file: _Exact) -> Iterator[bytes]:
    """Unpack with a limit of memory, which `lzma.LZMAFile` has not; a file may be several, and zeros between them."""
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
