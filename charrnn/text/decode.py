"""Files as pieces of code points, or of bytes; refuses files that are not text. Knows nothing of ids."""

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
"""Encodings in which every byte below 128 is ASCII, wherever it is."""
NON_TEXT_SIGNATURES = (
    (0, b"\x1f\x8b", "is compressed twice (gzip); unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed (Zstandard); unpack it first, with `unzstd`"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (
        0,
        b"PK\x03\x04",
        "is a ZIP archive, or a document (.docx, .odt, .epub); unpack it, or save it as plain text, first",
    ),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document (.doc); save it as plain text first"),
    (0, b"%PDF-", "is a PDF; save it as plain text first, with `pdftotext`"),
    (257, b"ustar", "is a tar archive; unpack it first, with `tar xf`"),
)
"""Files that are not plain text: (offset, bytes there, message)."""


class TextReader:
    """One pass over files, as arrays of code points (or bytes); afterwards it knows the SHA-256 of all bytes.

    They are one text: `separator_between_files(config)` is put after each but the last, unless it ends with it.

    Iterating raises TextError where a file does not decode, is known to be no text, cannot be read, or does not end
    where it should; `done` is called with the bytes read.
    """

    def __init__(self, sources: Sequence[TextSource], config: CorpusConfig, done: Callable[[int], None]) -> None:
        self.sources, self.config, self.done = sources, config, done
        self.digest = hashlib.sha256()
        self.line_ends: set[str] = set()
        """As they are in the file: those of what was read by the decoder, which are all but plain newlines."""

    @property
    def sha256(self) -> str:
        """Of the bytes read, in hexadecimal: unpacked, one file after the other.

        A line end is added after a file without one, so it does not depend on how the text is read.
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
        """Those of one file, in the form that is asked for."""
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
                refuse_non_text(source.name, raw)
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
                    points = _points_of(text)  # no half of a surrogate pair, which no file could hold
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
        yield b""  # the end, at which a decoder says what is unfinished

    def _undecodable(self, source: TextSource, error: UnicodeError, end: int) -> TextError:
        """The line for what does not decode, where bytes up to `end` were read."""
        where = ""
        if isinstance(error, UnicodeDecodeError):
            # Counted from the end, which is the same for all decoders: some keep the start of an unfinished character
            # from the piece before, some drop a byte-order mark.
            at = end - len(error.object) + error.start
            where = f"byte {at} (0x{error.object[error.start]:02X}) "
        return TextError(
            f"{source.name}: {where}is not {self.config.encoding}; "
            "say --encoding (latin-1, cp1252, utf-16, ...) if it is text, or --bytes to read raw bytes"
        )


def separator_between_files(config: CorpusConfig) -> str:
    """The text between two files: the separator of documents, or else a line end, but nothing between bytes."""
    return separator_of(config) or ("" if config.bytes else "\n")


def codec_for(config: CorpusConfig, encoding: str | None = None) -> tuple[str, str]:
    """How to decode a prime or a source for a model: the encoding, and how to treat bytes that do not decode.

    In UTF-8 they become surrogate escapes: a model of bytes knows them. An `encoding` that was named is taken
    instead of that of the training text.

    Raises:
        UsageError: there is no such encoding.
    """
    chosen = "utf-8" if config.bytes else encoding or config.encoding
    check_encoding(chosen)
    return chosen, "surrogateescape" if codecs.lookup(chosen).name == "utf-8" else "strict"


def check_encoding(encoding: str) -> None:
    """Raise UsageError where there is no such encoding."""
    try:
        "".encode(encoding)  # knows codecs between bytes, such as hex, from encodings
    except (LookupError, ValueError):  # UnicodeError is one
        raise UsageError(f"--encoding {encoding}: there is no such encoding; utf-8 and latin-1 are common") from None


def _decoder(encoding: str) -> io.IncrementalNewlineDecoder:
    r"""Decode pieces of a text, strictly, with \r\n and \r turned into \n."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)


def refuse_non_text(name: str, raw: bytes) -> None:
    """Raise TextError where a file begins like one of a format that is not plain text."""
    for at, beginning, message in NON_TEXT_SIGNATURES:
        if raw.startswith(beginning, at):
            raise TextError(f"{name}: {message}")


def _points_of(text: str, is_bytes: bool = False) -> NDArray[Any]:
    if is_bytes:
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
