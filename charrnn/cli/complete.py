r"""`charrnn complete`: targets for lines, from a model of lines `source\ttarget`."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.escapes import unescaped
from charrnn.cli.shared.options import DeviceOption, TextEncoding
from charrnn.config import LARGEST_INTEGER, CompletionConfig, CorpusConfig
from charrnn.errors import TextError

if TYPE_CHECKING:
    from charrnn.sampling.complete import Completing, Completion

MOST_LINE = 1_000_000
"""Bytes of a line: what it is read from may have no end."""

Line = tuple[str | None, str | None]
"""The source, None if the line is empty; and the target that is wanted, None if there is none."""


def complete(
    file: Annotated[str, typer.Argument(help="A file of sources, one a line; - is standard input.")] = "-",
    *,
    sep: Annotated[
        str,
        typer.Option(
            help="What stands between source and target in the lines that the model was trained on. Of a line that has "
            "it, what stands before is the source.",
        ),
    ] = "\\t",
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="The model; the newest in checkpoints/ if not said.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    with_source: Annotated[bool, typer.Option("--with-source", help="Write source and separator, too.")] = False,
    accuracy: Annotated[
        bool,
        typer.Option(
            "--accuracy",
            help="Compare with the targets that stand in FILE behind the separator, and say at the end, on standard "
            "error, the share of lines and of characters that are right.",
        ),
    ] = False,
    unknown: Annotated[
        str,
        typer.Option(
            help="What to do with characters of a source that the model does not know.", metavar="error|skip|replace"
        ),
    ] = "error",
    batch_size: Annotated[
        int,
        typer.Option(
            help="How many lines are completed side by side; with 1, each before the next one is read.",
            min=1,
            max=LARGEST_INTEGER,
        ),
    ] = 64,
    sampling: CompletionConfig,
    encoding: TextEncoding = None,
    device: DeviceOption = "auto",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print a list of objects with source, target, log_prob (of the target, in nats) and finished (false "
            "where it did not end within --length); with --accuracy, an object with the shares and that list.",
        ),
    ] = False,
) -> None:
    r"""Complete lines: read sources, write targets, one a line, in the same order.

    The model is one that `charrnn train pairs.tsv` made of lines of source, separator and target. For each source it
    writes what should stand behind, until the line ends. An empty line gives an empty line.

    A model trained with `--document-separator '\n'` has read each line by itself, and does so here. Any other one has
    read line after line, so each line comes after one that it wrote itself.
    """
    from charrnn.checkpoint import load, newest
    from charrnn.cli.sample.output import is_file, writer
    from charrnn.cli.shared.checkpoints import FOLDER, find
    from charrnn.cli.shared.devices import choose
    from charrnn.cli.shared.terminal import BAR_DELAY, bar, field, print_json, say
    from charrnn.sampling.complete import LINE_END, Completing, usual_line
    from charrnn.scoring.accuracy import Accuracy
    from charrnn.text.normalize import prepared, separator_of

    path = find(checkpoint) if checkpoint else newest(FOLDER)
    model = load(path, choose(device))
    corpus = model.facts.text.corpus
    separator = prepared(unescaped(sep), corpus)
    is_from_nothing = separator_of(corpus) == LINE_END
    after = "" if is_from_nothing else usual_line(model.model, model.vocabulary)
    completing = Completing(model.model, model.vocabulary, sampling, separator, unknown, after)
    drawn = f", temperature {sampling.temperature:g}, seed {completing.seed}" if sampling.temperature else ""
    done: list[Completion] = []
    write = writer()
    counted, unfinished, total = Accuracy(), 0, None
    with _opened(file) as opened:
        lines = _parsed(opened, file, separator, replace(corpus, encoding=encoding or corpus.encoding), accuracy)
        if opened.isatty():
            say("lines are completed as they are typed; Ctrl-D ends")
            batch_size = 1
        elif opened.seekable():  # what is wrong in a file is said before anything is written
            read = list(lines)
            _check(completing, read)
            lines, total = iter(read), len(read)
        after_line = f", each line after {after!r}" if after else ""
        say(f"{model.path}: {model.description}{drawn}{after_line}")
        # A bar where targets go to a file: on a screen they themselves show how far it is.
        hidden = not as_json and not is_file(sys.stdout)
        with bar(total, "completing", "line", delay=BAR_DELAY, hidden=hidden) as shown:
            for line, wanted in _completed(completing, lines, batch_size):
                unfinished += not line.finished
                if wanted is not None:
                    counted.add(line.target, wanted)
                if as_json:
                    done.append(line)
                else:
                    write(f"{line.source}{separator}" * with_source + f"{line.target}\n", False)
                shown.update()
    if unfinished:
        field("unfinished", f"{unfinished:,} targets had not ended after {sampling.length:,} characters (--length)")
    if accuracy:
        field("accuracy", str(counted))
    if as_json:
        shares = {"line_accuracy": counted.of_lines, "character_accuracy": counted.of_characters}
        completions = [asdict(one) for one in done]
        print_json({"lines": counted.lines, **shares, "completions": completions} if accuracy else completions)


def _completed(
    completing: Completing, lines: Iterator[Line], batch_size: int
) -> Iterator[tuple[Completion, str | None]]:
    """Each completion, and the target that is wanted."""
    wanted: deque[str | None] = deque()

    def sources() -> Iterator[str | None]:
        for source, target in lines:
            wanted.append(target)
            yield source

    for line in completing.complete(sources(), batch_size):
        yield line, wanted.popleft()


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115
    except OSError as error:
        raise TextError(f"{name}: cannot be read: {error.strerror}; name a file of sources, one a line") from error
    with file:
        yield file


def _decoded(file: BinaryIO, name: str, config: CorpusConfig) -> Iterator[str]:
    """The lines of a file, without their ends."""
    from charrnn.text.decode import decoding

    encoding, errors = decoding(config)
    decoded = io.TextIOWrapper(file, encoding, errors, newline="\n")
    number = 1
    try:
        while line := decoded.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:
                raise TextError(f"{name}: line {number} is longer than {MOST_LINE:,} characters; try shorter lines")
            yield line.removesuffix("\n")
            number += 1
    except UnicodeError as error:
        raise TextError(f"{name}: near line {number}: not {encoding} ({error}); try --encoding") from None
    finally:
        with suppress(ValueError):  # it is closed already
            decoded.detach()  # who opened it closes it


def _parsed(file: BinaryIO, name: str, separator: str, config: CorpusConfig, needs_target: bool) -> Iterator[Line]:
    """The lines of a file, as `read_corpus` would read them, which is all that a model of characters knows."""
    from charrnn.text.normalize import prepared

    for number, text in enumerate(_decoded(file, name, config), 1):
        if not config.bytes:
            plain = text.removesuffix("\r").removeprefix("\ufeff" if number == 1 else "")
            text = prepared(plain, config)
        source, found, target = text.partition(separator)
        if needs_target and not found and text.removesuffix("\r"):
            raise TextError(
                f"{name}: line {number} has no {separator!r} and target to compare with; leave out --accuracy"
            )
        if not found:  # bytes stay as they are, but no source is meant to end so
            source = source.removesuffix("\r")
        yield (source, target if needs_target else None) if source or found else (None, None)


def _check(completing: Completing, lines: list[Line]) -> None:
    """Raise TextError where the model does not know a character."""
    for number, (source, _) in enumerate(lines):
        completing.encode(source or "", number)
