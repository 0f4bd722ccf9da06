r"""`charrnn complete`: predict the targets of sources, with a model trained on lines `source\ttarget`."""

from __future__ import annotations

from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from charrnn.config import CompletionConfig
from charrnn.errors import UsageError

if TYPE_CHECKING:
    import torch

    from charrnn.checkpoint import Checkpoint


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
            "correct lines and characters. If there are few different targets, also report the share of the most "
            "frequent one.",
        ),
    ] = False,
    confusion: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --accuracy: save the confusion matrix as a picture (.png or .svg), and as CSV under the same "
            "name. At most 50 different targets.",
        ),
    ] = None,
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
    from charrnn.cli.complete.lines import check_lines, open_source, read_lines
    from charrnn.cli.complete.results import CompletionResults, check_confusion
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.terminal import BAR_DELAY, is_to_file, log, print_json, progress_bar, text_writer
    from charrnn.sampling.complete import LineCompleter, line_before
    from charrnn.text.normalize import normalize_text

    if confusion and not accuracy:
        raise UsageError(f"--confusion {confusion}: compares with expected targets; add --accuracy")
    model = _load(name, select_device(device), file)
    corpus, file = model.metadata.text.corpus, file or "-"
    if confusion:
        check_confusion(confusion, file)
    separator = normalize_text(unescaped(sep), corpus)
    after = line_before(model.model, model.vocabulary, corpus)
    completer = LineCompleter(model.model, model.vocabulary, sampling, separator, unknown, after)
    write, results, total = text_writer(), CompletionResults(keeps=as_json), None
    with open_source(file) as opened:
        lines = read_lines(opened, file, separator, replace(corpus, encoding=encoding or corpus.encoding), accuracy)
        if opened.isatty():
            log("type a source and press Enter to complete it; press Ctrl-D to end")
            batch_size = 1
        elif opened.seekable():
            checked = check_lines(lines, completer, file if confusion else None)
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
                results.add(completion, expected)
                if not as_json:
                    write(f"{completion.source}{separator}" * with_source + f"{completion.target}\n")
                shown.update()
    results.show(sampling.length, accuracy)
    if confusion:
        results.save_confusion(confusion, file, f"{model.name}, {model.description}")
    if as_json:
        print_json(results.with_shares() if accuracy else results.completions)


def _load(name: str | None, device: torch.device, file: str | None) -> Checkpoint:
    """Load the checkpoint, the first argument; raise UsageError if the argument is a file of sources."""
    from charrnn.checkpoint import load
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import shell_quoted

    model = shell_quoted(file) if file else "NAME"
    advice = f"the checkpoint comes first: charrnn complete {model} {shell_quoted(name)}"
    return load(locate_checkpoint(name, advice), device)
