r"""`charrnn complete`: predict the targets of sources, with a model trained on lines `source\ttarget`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from charrnn.cli.shared.config_options import unescaped
from charrnn.cli.shared.options import (
    ENCODING,
    UNKNOWN,
    CheckpointArgument,
    DeviceOption,
    JsonOption,
    advanced,
    check_range,
    in_panel,
)
from charrnn.config import CompletionConfig, CorpusConfig
from charrnn.errors import TextError

if TYPE_CHECKING:
    import torch

    from charrnn.checkpoint import Checkpoint
    from charrnn.sampling.complete import Accuracy, LineCompleter

MAX_LINE = 1_000_000
"""The maximum length of a line, in characters: a device or a pipe may be endless."""

Line = tuple[str | None, str | None]
"""The source (None for an empty line) and the expected target (None if unknown)."""


def complete(
    name: CheckpointArgument = None,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="Sources, one per line: a file, or - for standard input (default)."),
    ] = None,
    *,
    sep: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Separator of source and target in the training text. Of a line that contains the separator, the part "
            "before it is the source.",
        ),
    ] = "\\t",
    with_source: Annotated[
        bool, typer.Option("--with-source", help="Also print the source and the separator.")
    ] = False,
    accuracy: Annotated[
        bool,
        typer.Option(
            "--accuracy",
            help="Compare with the targets after the separator in FILE, and report on standard error the percentage of "
            "correct lines and characters.",
        ),
    ] = False,
    batch_size: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Complete N lines in parallel; with 1, each line is completed before the next one is read.",
            callback=check_range(1),
            rich_help_panel=advanced("input"),
        ),
    ] = 64,
    sampling: CompletionConfig,
    unknown: Annotated[str, in_panel(UNKNOWN, "input")] = "error",
    encoding: Annotated[str | None, in_panel(ENCODING, "input")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    r"""Complete lines: read sources, and print the target that the model predicts for each.

    The model is trained on lines of source, separator and target (`charrnn train pairs.tsv`). An empty line gives an
    empty line.

    Filters apply in this order: {filter_order}.

    A model trained with `--document-separator '\n'` completes each line independently. Other models complete each line
    after a typical line, which they generate first.

    --json prints a list of objects with source, target, log_prob (of the target, in nats) and finished (false if the
    target did not end within --length); with --accuracy, an object with the accuracies and that list.
    """
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.terminal import BAR_DELAY, is_to_file, log, print_json, progress_bar, text_writer
    from charrnn.sampling.complete import Accuracy, LineCompleter, line_before
    from charrnn.text.normalize import normalize_text

    model = _load(name, select_device(device), file)
    corpus, file = model.metadata.text.corpus, file or "-"
    separator = normalize_text(unescaped(sep), corpus)
    after = line_before(model.model, model.vocabulary, corpus)
    completer = LineCompleter(model.model, model.vocabulary, sampling, separator, unknown, after)
    write, counted, unfinished, total = text_writer(), Accuracy(), 0, None
    completions: list[dict[str, object]] = []
    with _open(file) as opened:
        lines = _read_lines(opened, file, separator, replace(corpus, encoding=encoding or corpus.encoding), accuracy)
        if opened.isatty():
            log("type a source and press Enter to complete it; press Ctrl-D to end")
            batch_size = 1
        elif opened.seekable():
            checked = _check_lines(lines, completer)
            lines, total = iter(checked), len(checked)
        drawn = f", temperature {sampling.temperature:g}, seed {completer.seed}" if sampling.temperature else ""
        before = f", with the line {after!r} before each source" if after else ""
        log(f"{model.path}: {model.description}{drawn}{before}")
        # A bar only if targets go to a file: on a terminal they themselves show the progress.
        hidden = not as_json and not is_to_file()
        with progress_bar(total, "completing", "line", delay=BAR_DELAY, hidden=hidden) as shown:
            ahead, lines = tee(lines)
            completed = completer.complete((source for source, _ in ahead), batch_size)
            for completion, (_, expected) in zip(completed, lines, strict=True):
                unfinished += not completion.finished
                if expected is not None:
                    counted.add(completion.target, expected)
                if as_json:
                    completions.append(asdict(completion))
                else:
                    write(f"{completion.source}{separator}" * with_source + f"{completion.target}\n")
                shown.update()
    _show_totals(unfinished, sampling.length, counted if accuracy else None)
    if as_json:
        print_json(_with_shares(counted, completions) if accuracy else completions)


def _load(name: str | None, device: torch.device, file: str | None) -> Checkpoint:
    """Load the checkpoint, the first argument; raise UsageError if the argument is a file of sources."""
    from charrnn.checkpoint import load
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import shell_quoted

    model = shell_quoted(file) if file else "NAME"
    advice = f"the checkpoint comes first: charrnn complete {model} {shell_quoted(name)}"
    return load(locate_checkpoint(name, advice), device)


def _check_lines(lines: Iterable[Line], completer: LineCompleter) -> list[Line]:
    """Read and check all lines of a file, so that errors are raised before any output."""
    checked = list(lines)
    for number, (source, _) in enumerate(checked):
        completer.encode(source or "", number)
    return checked


def _show_totals(unfinished: int, length: int, accuracy: Accuracy | None) -> None:
    from charrnn.cli.shared.terminal import log_field
    from charrnn.formatting import plural

    if unfinished:
        targets = plural(unfinished, "target")
        log_field("unfinished", f"{targets} cut off after {length:,} characters; to allow more, use --length")
    if accuracy:
        log_field("accuracy", str(accuracy))


def _with_shares(accuracy: Accuracy, completions: list[dict[str, object]]) -> dict[str, object]:
    shares = {"line_accuracy": accuracy.of_lines, "character_accuracy": accuracy.of_characters}
    return {"lines": accuracy.lines, **shares, "completions": completions}


def _open(name: str) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise TextError(f"{name}: cannot be read: {error.strerror}; use a file of sources, one per line") from error


def _read_lines(file: BinaryIO, name: str, separator: str, config: CorpusConfig, needs_target: bool) -> Iterator[Line]:
    """Yield the lines of a file, normalized as `read_corpus` does, as the model expects."""
    from charrnn.text.normalize import normalize_text

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
    from charrnn.text.decode import codec_for

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
