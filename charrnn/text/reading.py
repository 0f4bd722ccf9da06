"""A file as pieces of code points, or of bytes; and what is no text. Knows nothing of ids."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError

PIECE = 1 << 18
"""Bytes read at a time: few, for a piece of plain ASCII is read faster than one with other characters in it."""
ASCII_BELOW = ("ascii", "utf-8", "iso8859-1", "cp1252")
"""Encodings whose bytes below 128 are ASCII wherever they stand."""
NO_TEXTS = (
    (b"\x1f\x8b", "is compressed (gzip); unpack it first, with `gunzip -k`"),
    *((b"BZh%d1AY&SY" % level, "is compressed (bzip2); unpack it first, with `bunzip2 -k`") for level in range(1, 10)),
    (b"\xfd7zXZ\x00", "is compressed (xz); unpack it first, with `unxz -k`"),
    (b"\x28\xb5\x2f\xfd", "is compressed (Zstandard); unpack it first, with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"PK\x03\x04", "is a ZIP archive, or a document (.docx, .odt, .epub); unpack it, or save it as plain text, first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document (.doc); save it as plain text first"),
    (b"%PDF-", "is a PDF; save it as plain text first, with `pdftotext`"),
)
"""How files begin that hold no text as it is, and what to say of them."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file that may be a text. What is none, such as a device or a pipe, is not even opened.

    Raises:
        TextError: it is no file, or cannot be read.
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
        raise _unreadable(path, error) from error
    with file:
        yield file


def size_of(file: BinaryIO) -> int:
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def changed(path: Path) -> TextError:
    """The line for a file that is another one at the end than at the beginning."""
    return TextError(f"{path}: the file changed while it was read; try again, or take a copy of it")


class Reading:
    """One pass over a file, as arrays of code points (or bytes); afterwards it knows the file's SHA-256.

    Iterating raises TextError where the file does not decode, is known to be no text, cannot be read, or does not end
    where it should: one that grows has no end.

    Args:
        file: open, at any place.
        path: its name.
        config: how it is encoded.
        size: bytes that it has.
        done: told the bytes read.
    """

    def __init__(
        self, file: BinaryIO, path: Path, config: CorpusConfig, size: int, done: Callable[[int], None]
    ) -> None:
        self.file, self.path, self.config, self.size, self.done = file, path, config, size, done
        self.digest = hashlib.sha256()
        self.line_ends: set[str] = set()
        """As they are in the file: those of what was read by the decoder, which are all but plain newlines."""

    @property
    def sha256(self) -> str:
        """Of the bytes read, in hexadecimal."""
        return self.digest.hexdigest()

    def __iter__(self) -> Iterator[NDArray[Any]]:
        try:
            yield from self._pieces()
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _pieces(self) -> Iterator[NDArray[Any]]:
        decoder, offset = _decoder(self.config.encoding), 0
        unfinished = decoder.getstate()
        ascii_below = codecs.lookup(self.config.encoding).name in ASCII_BELOW
        self.file.seek(0)
        while True:
            raw = self.file.read(PIECE)
            end = offset + len(raw)
            if end > self.size or (not raw and end < self.size):
                raise changed(self.path)
            if offset == 0 and not self.config.bytes:
                self._check_beginning(raw)
            self.digest.update(raw)
            is_plain = ascii_below and decoder.getstate() == unfinished and raw.isascii() and b"\r" not in raw
            if self.config.bytes or is_plain:
                yield np.frombuffer(raw, np.uint8)
            else:
                try:
                    text = decoder.decode(raw, final=not raw)
                    if offset == 0:
                        text = text.removeprefix("\ufeff")
                    points = text.encode("utf-32-le")  # no half of a surrogate pair, which no file could hold
                except UnicodeError as error:
                    raise self._undecodable(error, end) from None
                yield np.frombuffer(points, np.uint32)
                found = decoder.newlines
                self.line_ends.update((found,) if isinstance(found, str) else found or ())
            offset = end
            self.done(offset)
            if not raw:
                return

    def _check_beginning(self, raw: bytes) -> None:
        for beginning, message in NO_TEXTS:
            if raw.startswith(beginning):
                raise TextError(f"{self.path}: {message}")

    def _undecodable(self, error: UnicodeError, end: int) -> TextError:
        """The line for what does not decode, where bytes up to `end` were read."""
        where = ""
        if isinstance(error, UnicodeDecodeError):
            # Counted from the end, which is the same for all decoders: some keep the start of an unfinished character
            # from the piece before, some drop a byte-order mark.
            at = end - len(error.object) + error.start
            where = f"byte {at} (0x{error.object[error.start]:02X}) "
        return TextError(
            f"{self.path}: {where}is not {self.config.encoding}; "
            "say --encoding (latin-1, cp1252, utf-16, ...) if it is text, or --bytes to read raw bytes"
        )


def check_encoding(encoding: str) -> None:
    """Raise UsageError where there is no such encoding."""
    try:
        "".encode(encoding)  # knows codecs between bytes, such as hex, from encodings
    except (LookupError, ValueError):  # UnicodeError is one
        raise UsageError(f"--encoding {encoding}: there is no such encoding; utf-8 and latin-1 are common") from None


def _decoder(encoding: str) -> io.IncrementalNewlineDecoder:
    r"""Decode pieces of a text, strictly, with \r\n and \r turned into \n."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)


def _unreadable(path: Path, error: OSError) -> TextError:
    return TextError(f"{path}: cannot be read: {error.strerror}; name another file")
