r"""Lines `source<separator>target` completed with a checkpoint, from sources in a file."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from charrnn.checkpoint import Checkpoint
from charrnn.config import CompletionConfig, CorpusConfig
from charrnn.errors import TextError
from charrnn.sampling.complete import LINE_END, Completion, LineCompleter, greedy_line
from charrnn.text.decode import decoding
from charrnn.text.normalize import prepared, separator_of

MAX_LINE = 1_000_000
"""The number of characters of the longest line: a device or a pipe may have no end."""


class Line(NamedTuple):
    """A line of a file of sources.

    Attributes:
        source: None if the line is empty.
        target: the one that is expected; None if none is.
    """

    source: str | None
    target: str | None


def line_completer(
    checkpoint: Checkpoint, config: CompletionConfig, separator: str = "\t", unknown: str = "error"
) -> tuple[LineCompleter, str]:
    """What completes lines with a checkpoint, and the line that each line comes after; "" if it comes after nothing.

    A model that has read line after line gets one of its own before each; one that was trained with a line end as
    `--document-separator` has read each line by itself.

    Raises:
        UsageError: the settings make no sense.
        ModelError: the model was not trained on lines with that separator.
    """
    is_from_nothing = separator_of(checkpoint.facts.text.corpus) == LINE_END
    after = "" if is_from_nothing else greedy_line(checkpoint.model, checkpoint.vocabulary)
    return LineCompleter(checkpoint.model, checkpoint.vocabulary, config, separator, unknown, after), after


def complete_lines(
    completer: LineCompleter, lines: Iterator[Line], batch_size: int
) -> Iterator[tuple[Completion, str | None]]:
    """Each completion, and the target that is expected."""
    expected: deque[str | None] = deque()

    def sources() -> Iterator[str | None]:
        for line in lines:
            expected.append(line.target)
            yield line.source

    for completion in completer.complete(sources(), batch_size):
        yield completion, expected.popleft()


def read_lines(file: BinaryIO, name: str, separator: str, config: CorpusConfig, needs_target: bool) -> Iterator[Line]:
    """The lines of a file, as `read_corpus` would read them, which is all that a model of characters knows.

    Args:
        file: opened, and left open.
        name: for messages.
        separator: between source and target.
        config: how the text was read that the model was trained on.
        needs_target: whether each line must have a target; otherwise none is expected.

    Raises:
        TextError: a line is too long, cannot be decoded, or lacks a target.
    """
    for number, text in enumerate(_decode_lines(file, name, config), 1):
        if not config.bytes:
            text = prepared(text.removesuffix("\r").removeprefix("\ufeff" if number == 1 else ""), config)
        source, has_target, target = text.partition(separator)
        if needs_target and not has_target and text.removesuffix("\r"):
            raise TextError(
                f"{name}: line {number} has no {separator!r} and target to compare with; leave out --accuracy"
            )
        if not has_target:  # bytes stay as they are, but no source is meant to end so
            source = source.removesuffix("\r")
        yield Line(source, target if needs_target else None) if source or has_target else Line(None, None)


def _decode_lines(file: BinaryIO, name: str, config: CorpusConfig) -> Iterator[str]:
    """The lines of a file, without their ends."""
    encoding, errors = decoding(config)
    decoded = io.TextIOWrapper(file, encoding, errors, newline="\n")
    number = 1
    try:
        while line := decoded.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TextError(f"{name}: line {number} is longer than {MAX_LINE:,} characters; try shorter lines")
            yield line.removesuffix("\n")
            number += 1
    except UnicodeError as error:
        raise TextError(f"{name}: near line {number}: not {encoding} ({error}); try --encoding") from None
    finally:
        with suppress(ValueError):  # it is closed already
            decoded.detach()  # who opened it closes it
