"""`charrnn view`: write an HTML report about a model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.shared.options import (
    CheckpointArgument,
    DeviceOption,
    EncodingOption,
    ForceOption,
    TextOption,
    check_range,
)
from charrnn.config import CompareConfig
from charrnn.errors import UsageError
from charrnn.formatting import part_name, plural

MAX_COMPARED = 500_000
"""The maximum number of held-out characters that models are compared on; `charrnn compare` uses all of them."""


def view(
    name: CheckpointArgument = None,
    *,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save the report as this file (default: NAME.html, next to the checkpoint)."),
    ] = None,
    text: TextOption = None,
    encoding: EncodingOption = None,
    length: Annotated[
        int,
        typer.Option(
            metavar="N", help="Show the first N characters of the text (2 to 20,000).", callback=check_range(2, 20_000)
        ),
    ] = 2000,
    compare: Annotated[
        bool, typer.Option(help="Compare with other models of the text in checkpoints/, and with n-gram baselines.")
    ] = True,
    open_it: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    force: ForceOption = False,
    device: DeviceOption = "auto",
) -> None:
    r"""Write a self-contained HTML report about a model (works offline).

    The report shows the learning curves, and a text colored by surprisal or by the activation of any unit, with the
    predictions at each character.

    It also shows what units keep track of, where attention looks, how the hidden state moves, how often gates are
    closed, and a comparison with other models.

    Needs `pip install matplotlib`.
    """
    from charrnn.report.figures import check_matplotlib

    check_matplotlib()
    from charrnn.checkpoint import list_checkpoints, load
    from charrnn.cli.shared.checkpoints import check_writable
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.locate import locate_checkpoints
    from charrnn.cli.shared.terminal import log, log_field, progress
    from charrnn.cli.shared.texts import read_texts_or_training_text, read_training_text
    from charrnn.paths import CHECKPOINT_FOLDER
    from charrnn.pipeline.compare import Comparison, load_alike
    from charrnn.report.page import write
    from charrnn.report.view.render import render
    from charrnn.scoring.held_out import choose_split
    from charrnn.training.monitor.history import history_path, read_history

    torch_device = select_device(device)
    (path,) = locate_checkpoints([name] if name else [], "view")
    model = load(path, torch_device)
    page = _page_path(out, model.path, force)
    check_writable(page)
    history = read_history(history_path(model.path))
    corpus = read_texts_or_training_text(model, text, encoding)
    split = choose_split([model], corpus)
    log_field("model", f"{model.path}: {model.description}")
    part = "" if split.part == "all" else f" ({part_name(split.part)} part, split {split.split})"
    log_field("text", f"{corpus.source}: {plural(len(split.text), 'character')}{part}")
    rows = []
    if compare:
        others = load_alike(model, list_checkpoints(CHECKPOINT_FOLDER), torch_device, log)
        models = [model, *(other for other in others if other.vocabulary == model.vocabulary)]
        config = CompareConfig(novelty_length=0)
        rows = Comparison(models, corpus, config, read_training_text, progress, log, MAX_COMPARED).rows
    write(render(model, corpus, length, history, rows, progress), page)
    log_field("page", str(page))
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(os.fsencode(page) + b"\n")
    if open_it:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())


def _page_path(out: str | None, checkpoint: Path, force: bool) -> Path:
    """Return the path of the report; raise UsageError if it is a folder, or a file of another kind."""
    from charrnn.paths import CHECKPOINT_SUFFIX
    from charrnn.report.page import is_page

    default = checkpoint.name.removesuffix(CHECKPOINT_SUFFIX) + ".html"
    path = Path(out) if out else checkpoint.with_name(default)
    if path.is_dir() or (out and out.endswith(("/", "\\"))):
        raise UsageError(f"--out {out or path}: is a folder; use a file name such as {path / default}")
    if path.exists() and not force and not is_page(path):
        raise UsageError(
            f"{path}: is not a report of charrnn; use --force to overwrite it, or --out FILE for another file"
        )
    return path
