"""`charrnn view`: a model as a page to look at."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.options import DeviceOption, TextEncoding
from charrnn.errors import UsageError

if TYPE_CHECKING:
    import torch

    from charrnn.checkpoint import Checkpoint
    from charrnn.models.rnn.model import RecurrentModel
    from charrnn.scoring.compare.rows import HeldOut, Row
    from charrnn.text.corpus import Corpus

SUFFIX = ".html"
PROBED = 20_000
"""Held-out characters that units, states and gates are measured on."""
COMPARED = 500_000
"""Held-out characters that models are compared on, at most: `compare` takes all."""
SAMPLE = 300


def view(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            help="A checkpoint; the newest in checkpoints/ if not said.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[
        str | None,
        typer.Option(help="The page; beside the checkpoint, NAME.html, if not said.", show_default=False),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="What it reads; what was held out of its own text if not said. For several files say it again.",
            autocompletion=completion.texts,
            show_default=False,
        ),
    ] = None,
    encoding: TextEncoding = None,
    length: Annotated[int, typer.Option(help="Characters that are shown.", min=2, max=20_000)] = 2000,
    compare: Annotated[
        bool, typer.Option(help="Put other models of its text in checkpoints/, and n-grams, beside it.")
    ] = True,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is no page of charrnn.")] = False,
    device: DeviceOption = "auto",
) -> None:
    r"""Make a page to look at a model: one HTML file that needs no network.

    How it learned, and what it expects at each character of a text, which is coloured by surprisal or by any unit.

    Which units keep track of what, where the state goes, how often gates are shut, and other models beside it.

    Needs `pip install matplotlib jinja2`.
    """
    from charrnn.report.page import check_extra

    check_extra()
    from charrnn.checkpoint import load, newest
    from charrnn.cli.shared.checkpoints import FOLDER, check_writable, find
    from charrnn.cli.shared.devices import choose
    from charrnn.cli.shared.terminal import field, progress
    from charrnn.cli.shared.texts import locate_all, read_fitted_on, read_for
    from charrnn.report.page import write
    from charrnn.report.view.report import View, render
    from charrnn.report.view.text import characters_of
    from charrnn.scoring.compare.rows import held_out
    from charrnn.scoring.probes.analyze import look_inside
    from charrnn.scoring.probes.predictions import predictions
    from charrnn.training.monitor.history import history_path, read_history

    where = choose(device)
    model = load(find(checkpoint) if checkpoint else newest(FOLDER), where)
    page = _page_path(out, model, force)
    check_writable(page)
    history = read_history(history_path(model.path))
    corpus = read_for(model, locate_all(text), encoding) if text else read_fitted_on(model)
    part = held_out([model], corpus)
    field("model", f"{model.path}: {model.description}")
    field("text", f"{corpus.source}: {len(part.ids):,} characters ({part.part}, split {part.split})")
    network, whose = _network_of(model)
    probed = part.ids[: max(PROBED, length)]
    characters = characters_of(probed.tolist(), model.vocabulary.characters)
    inside = None
    if network is not None:
        with progress("looking inside", "char") as update:
            inside = look_inside(network, probed, characters, part.documents, update)
        length = min(length, len(inside.trace.values))
    found = predictions(model.model, part.ids[:length], part.documents)
    rows, compared = _compared(model, corpus, part, where) if compare else ([], 0)
    made = View(
        model, part, corpus.source, characters[:length], found, whose, inside, history, rows, compared,
    )  # fmt: skip
    write(render(made), page)
    field("page", str(page))
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(os.fsencode(page) + b"\n")
    if open_it:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())


def _page_path(out: str | None, model: Checkpoint, force: bool) -> Path:
    """Where the page goes.

    Raises:
        UsageError: that is a folder, or a file that is no page.
    """
    from charrnn.report.page import is_page

    path = Path(out) if out else model.path.with_name(f"{model.name}{SUFFIX}")
    if path.is_dir() or (out and out.endswith(("/", "\\"))):
        raise UsageError(f"--out {out or path}: is a folder; name a file, such as {path / (model.name + SUFFIX)}")
    if path.exists() and not force and not is_page(path):
        raise UsageError(f"{path}: is no page of charrnn; say --force to overwrite it, or --out FILE for another")
    return path


def _network_of(model: Checkpoint) -> tuple[RecurrentModel | None, str]:
    """The network to look into, if there is one, and what to say where it is not all of the model."""
    from charrnn.checkpoint import taken_apart
    from charrnn.models.ensemble import EnsembleModel
    from charrnn.models.rnn.model import RecurrentModel

    said = []
    one: object = model.model
    if model.kind == "mixture":
        one = taken_apart(model)[1].model
        said.append("the network in the mixture")
    if isinstance(one, EnsembleModel):
        said.append(f"the first of {len(one.networks)} networks")
        one = one.networks[0]
    if not isinstance(one, RecurrentModel):
        return None, ""
    return one, f"This is the inside of {', '.join(reversed(said))}." if said else ""


def _compared(model: Checkpoint, corpus: Corpus, part: HeldOut, where: torch.device) -> tuple[list[Row], int]:
    """The models of the same text, measured, the best first; and on how many characters."""
    from dataclasses import replace

    from charrnn.checkpoint import checkpoints_in
    from charrnn.cli.compare.models import fitted_ngrams, fitted_on, others_like, with_parts
    from charrnn.cli.compare.rows import Measuring
    from charrnn.cli.shared.checkpoints import FOLDER
    from charrnn.config import SamplingConfig

    others = others_like(model, checkpoints_in(FOLDER), where)
    models = list(with_parts([model, *(one for one in others if one.vocabulary == model.vocabulary)]))
    text_of_all = fitted_on(models, corpus)
    fitted = fitted_ngrams(models, text_of_all, are_all=False) if text_of_all else []
    some = replace(part, ids=part.ids[:COMPARED])
    measuring = Measuring(some, SamplingConfig(length=SAMPLE, seed=0), "", "error", None)
    rows, _ = measuring.rows(models, fitted, is_mixed=True)
    return rows, len(some.ids)
