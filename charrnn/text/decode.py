"""Decoding: files as chunks of code points or bytes; files that are not text are rejected."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError
from charrnn.text.normalize import Normalizer, is_unchanged, separator_of
from charrnn.text.sources import TextSource

NUM_CODE_POINTS = 0x110000
"""The number of Unicode code points."""
ASCII_SUPERSETS = ("ascii", "utf-8", "iso8859-1", "cp1252")
"""Encodings in which every byte below 128 is an ASCII character in any context."""
NON_TEXT_SIGNATURES = (
    (0, b"\x1f\x8b", "is compressed twice (gzip); decompress the file first"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed (Zstandard); decompress the file first with `unzstd`"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive; extract it first"),
    (
        0,
        b"PK\x03\x04",
        "is a ZIP archive or a document (.docx, .odt, .epub); extract it or save it as plain text first",
    ),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document (.doc); save it as plain text first"),
    (0, b"%PDF-", "is a PDF; save it as plain text first with `pdftotext`"),
    (257, b"ustar", "is a tar archive; extract it first with `tar xf`"),
)
"""Signatures of files that are not plain text: (offset, bytes at that offset, error message)."""


class TextReader:
    """One pass over files, as arrays of code points (or bytes); also computes the SHA-256 of all bytes.

    The files are one text: `separator_between_files(config)` follows each file except the last, unless already there.

    Iterating raises TextError if a file cannot be read or decoded, is not plain text, or changes its length; `done` is
    called with the number of bytes read.
    """

    def __init__(self, sources: Sequence[TextSource], config: CorpusConfig, done: Callable[[int], None]) -> None:
        self.sources, self.config, self.done = sources, config, done
        self.digest = hashlib.sha256()
        self.line_ends: set[str] = set()
        """The line ends found by the decoder; pure-ASCII chunks, which bypass the decoder, have plain newlines."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read (decompressed, one file after the other), in hexadecimal.

        A newline is added after a file that lacks one, so the value does not depend on how the text is read.
        """
        return self.digest.hexdigest()

    def __iter__(self) -> Iterator[NDArray[Any]]:
        joint, before = _points_of(separator_between_files(self.config), self.config.bytes), 0
        for number, source in enumerate(self.sources, 1):
            end: list[int] = []
            for piece in self._pieces(source, before):
                if len(joint) and number < len(self.sources):
                    end = (end + piece[-len(joint) :].tolist())[-len(joint) :]
                yield piece
            if end and end != joint.tolist():
                yield joint
            before += source.size

    def _pieces(self, source: TextSource, before: int) -> Iterator[NDArray[Any]]:
        """Yield the pieces of one file, normalized as configured."""
        if is_unchanged(self.config):
            yield from self._decoded(source, before)
            return
        normalizer = Normalizer(self.config)
        for piece in self._decoded(source, before):
            yield _points_of(normalizer.feed(piece.astype(np.uint32).tobytes().decode("utf-32-le")))
        yield _points_of(normalizer.finish())

    def _decoded(self, source: TextSource, before: int) -> Iterator[NDArray[Any]]:
        decoder, offset, has_begun = _decoder(self.config.encoding), 0, False
        unfinished = decoder.getstate()
        ascii_below = codecs.lookup(self.config.encoding).name in ASCII_SUPERSETS
        last = b"\n"
        for raw in self._raw(source, before):
            end = offset + len(raw)
            if offset == 0 and not self.config.bytes:
                reject_non_text(source.name, raw)
            self.digest.update(raw)
            last = raw[-1:] or last
            is_ascii = ascii_below and decoder.getstate() == unfinished and raw.isascii() and b"\r" not in raw
            if self.config.bytes or is_ascii:
                has_begun = has_begun or bool(raw)
                yield np.frombuffer(raw, np.uint8)
            else:
                try:
                    text = decoder.decode(raw, final=not raw)
                    if not has_begun:
                        text, has_begun = text.removeprefix("\ufeff"), bool(text)
                    points = _points_of(text)  # fails for a lone surrogate, which no file can contain
                except UnicodeError as error:
                    raise self._undecodable(source, error, end) from None
                yield points
                ends = decoder.newlines
                self.line_ends.update((ends,) if isinstance(ends, str) else ends or ())
            offset = end
        if last != b"\n" and source is not self.sources[-1]:
            self.digest.update(b"\n")

    def _raw(self, source: TextSource, before: int) -> Iterator[bytes]:
        yield from source.pieces(lambda done: self.done(before + done))
        yield b""  # the end of the file, where the decoder reports an incomplete character

    def _undecodable(self, source: TextSource, error: UnicodeError, end: int) -> TextError:
        """Return the error for bytes that do not decode; `end` is the number of bytes read so far."""
        where = ""
        if isinstance(error, UnicodeDecodeError):
            # Counted from the end, which all decoders agree on: some keep the start of an incomplete character from
            # the previous chunk, some drop a byte-order mark.
            at = end - len(error.object) + error.start
            where = f"byte {at} (0x{error.object[error.start]:02X}) "
        return TextError(
            f"{source.name}: {where}is not {self.config.encoding}; "
            "use --encoding (latin-1, cp1252, utf-16, ...) if the file is text, or --bytes to read raw bytes"
        )


def separator_between_files(config: CorpusConfig) -> str:
    """Return the text between two files: the document separator, or else a newline; nothing between bytes."""
    return separator_of(config) or ("" if config.bytes else "\n")


def codec_for(config: CorpusConfig, encoding: str | None = None) -> tuple[str, str]:
    """Return how to decode a prompt or a source line for a model: the encoding and the error handler.

    In UTF-8, bytes that do not decode become surrogate escapes, which a byte-level model can read. `encoding`, if
    given, takes precedence over the encoding of the training text.

    Raises:
        UsageError: the encoding is unknown.
    """
    chosen = "utf-8" if config.bytes else encoding or config.encoding
    check_encoding(chosen)
    return chosen, "surrogateescape" if codecs.lookup(chosen).name == "utf-8" else "strict"


def check_encoding(encoding: str) -> None:
    """Raise UsageError if the encoding is unknown."""
    try:
        "".encode(encoding)  # also rejects codecs that are not text encodings, such as hex
    except (LookupError, ValueError):  # UnicodeError is a ValueError
        raise UsageError(f"--encoding {encoding}: unknown encoding; try utf-8 or latin-1") from None


def _decoder(encoding: str) -> io.IncrementalNewlineDecoder:
    r"""Return a strict incremental decoder that turns \r\n and \r into \n."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)


def reject_non_text(name: str, raw: bytes) -> None:
    """Raise TextError if a file starts like a known format that is not plain text."""
    for at, beginning, message in NON_TEXT_SIGNATURES:
        if raw.startswith(beginning, at):
            raise TextError(f"{name}: {message}")


def _points_of(text: str, is_bytes: bool = False) -> NDArray[Any]:
    if is_bytes:
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
