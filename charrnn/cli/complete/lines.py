"""The lines of a file of sources, each perhaps with an expected target."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.sampling.complete import LineCompleter
from charrnn.scoring.confusion import check_classes
from charrnn.text.decode import codec_for
from charrnn.text.normalize import normalize_text

MAX_LINE = 1_000_000
"""The maximum length of a line, in characters: a device or a pipe may be endless."""

Line = tuple[str | None, str | None]
"""The source (None for an empty line) and the expected target (None if unknown)."""


def check_lines(lines: Iterable[Line], completer: LineCompleter, classified: str | None = None) -> list[Line]:
    """Read and check all lines of a file, so that errors are raised before any output.

    Args:
        lines: the lines.
        completer: the completer of the lines.
        classified: the name of the file if its targets must be few enough for a confusion matrix.
    """
    checked = list(lines)
    for number, (source, _) in enumerate(checked):
        completer.encode(source or "", number)
    if classified:
        targets = {target for _, target in checked if target is not None}
        check_classes(classified, len(targets), "remove --confusion")
    return checked


def open_source(name: str) -> AbstractContextManager[BinaryIO]:
    """Open a file of sources; - is standard input."""
    try:
        return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise TextError(f"{name}: cannot be read: {error.strerror}; use a file of sources, one per line") from error


def read_lines(file: BinaryIO, name: str, separator: str, config: CorpusConfig, needs_target: bool) -> Iterator[Line]:
    """Yield the lines of a file, normalized as `read_corpus` does, as the model expects."""
    for number, text in enumerate(_decode_lines(file, name, config), 1):
        if not config.bytes:
            text = normalize_text(text.removesuffix("\r").removeprefix("\ufeff" if number == 1 else ""), config)
        source, has_target, target = text.partition(separator)
        if needs_target and not has_target and text.removesuffix("\r"):
            raise TextError(
                f"{name}: line {number} has no {separator!r} followed by a target; remove --accuracy, or check --sep"
            )
        if not has_target:  # bytes are not normalized, but a source should not end with it either
            source = source.removesuffix("\r")
        yield (source, target if needs_target else None) if source or has_target else (None, None)


def _decode_lines(file: BinaryIO, name: str, config: CorpusConfig) -> Iterator[str]:
    """Yield the decoded lines of a file, without line ends."""
    encoding, errors = codec_for(config)
    decoded = io.TextIOWrapper(file, encoding, errors, newline="\n")
    number = 1
    try:
        while line := decoded.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TextError(f"{name}: line {number} is longer than {MAX_LINE:,} characters; use shorter lines")
            yield line.removesuffix("\n")
            number += 1
    except UnicodeError as error:
        raise TextError(f"{name}: near line {number}: not {encoding} ({error}); try --encoding") from None
    finally:
        with suppress(ValueError):  # already closed
            decoded.detach()  # the caller closes the file
