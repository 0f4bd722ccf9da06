"""`charrnn score`: how well a model predicts a text, or which of several models a text is likeliest under."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.options import DeviceOption, TextEncoding
from charrnn.config import LARGEST_INTEGER
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from charrnn.checkpoint import Checkpoint

SHOWN = 1500
"""Characters of a text that are shown in colours if nothing else is said."""


def score(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT TEXT",
            help="A checkpoint, the newest in checkpoints/ if not said; and texts, each scored by itself, or the "
            "held-out part of the text that the model was fitted on. With several checkpoints (each ends with "
            ".safetensors, or texts are said with --text): which of them a text is likeliest under.",
            autocompletion=completion.texts_and_checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="A text to score; all names without an option are checkpoints then. For several say it again.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Score also in windows of so many characters, each read by itself, as transformers are scored.",
            min=1,
            max=LARGEST_INTEGER,
            show_default=False,
        ),
    ] = None,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Score also while the model learns from what it has read: a network by dynamic evaluation, an n-gram "
            "model by counting on.",
        ),
    ] = False,
    lines: Annotated[
        bool,
        typer.Option(
            "--lines",
            help="Score each line: the most surprising ones on a terminal; into a pipe all of them, as number, "
            "characters, bits, bits per character and text, with tabs between.",
        ),
    ] = False,
    show: Annotated[
        int | None,
        typer.Option(
            help=f"Characters to show in colours that say how surprising each was; {SHOWN} if one text is scored on a "
            "terminal, 0: none.",
            min=0,
            max=LARGEST_INTEGER,
            show_default=False,
        ),
    ] = None,
    encoding: TextEncoding = None,
    device: DeviceOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Score a text with a model, in bits per character; or find the model that a text is likeliest under."""
    from charrnn.cli.shared.devices import choose

    checkpoints, texts = _sorted_out(names or [], text or [])
    where = choose(device)
    models = _opened(checkpoints, where)
    if len(models) > 1:
        options = (("--window", window), ("--online", online), ("--lines", lines), ("--show", show))
        for option, value in options:
            if value:
                raise UsageError(f"{option}: is for one model; name one, or leave it out")
        _attribute(models, texts, encoding, as_json)
    else:
        _score(models[0], texts, encoding, window, online, lines, show, as_json)


def _sorted_out(names: Sequence[str], texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which names are checkpoints, and which are texts."""
    from charrnn.checkpoint import SUFFIX

    if texts:
        return list(names), list(texts)
    checkpoints = [name for place, name in enumerate(names) if place == 0 or name.endswith(SUFFIX)]
    return checkpoints, [name for place, name in enumerate(names) if place and not name.endswith(SUFFIX)]


def _opened(names: Sequence[str], where: torch.device) -> list[Checkpoint]:
    from charrnn.checkpoint import load, newest
    from charrnn.cli.shared.checkpoints import FOLDER, find

    paths = dict.fromkeys(find(name) for name in names) if names else [newest(FOLDER)]
    return [load(path, where) for path in paths]


def _score(
    model: Checkpoint,
    texts: Sequence[str],
    encoding: str | None,
    window: int | None,
    online: bool,
    lines: bool,
    show: int | None,
    as_json: bool,
) -> None:
    """One model, and each text by itself."""
    from charrnn.cli.score.heatmap import is_possible, show_surprisals
    from charrnn.cli.score.tables import print_lines, show_lines, show_text, show_texts
    from charrnn.cli.score.text import score_text
    from charrnn.cli.shared.terminal import field, print_json, say
    from charrnn.cli.shared.texts import Fitted, locate_all, read_fitted_on, read_for
    from charrnn.scoring.online import can_learn

    if online and not can_learn(model.model):
        raise UsageError(f"--online: {model.name} ({model.description}) cannot count on; say another model")
    if model.facts.text.corpus.document_separator and (online or window):
        option = "--online" if online else f"--window {window}"
        raise UsageError(f"{option}: goes on through a text, and {model.name} reads documents; leave it out")
    paths: Sequence[Path | None] = locate_all(texts) if texts else [None]
    fitted, found = Fitted(), []
    for path in paths:
        corpus = read_for(model, path, encoding) if path else read_fitted_on(model)
        found.append(score_text(model, corpus, lambda: fitted.on(model), window, online, lines))
    found.sort(key=lambda one: one.static.nats_per_char)
    field("model", f"{model.path}: {model.description}")
    show_text(found[0]) if len(found) == 1 else show_texts(found)
    if show is None:
        show = SHOWN * (is_possible() and len(found) == 1 and not (lines or as_json))
    if show and not is_possible():
        say("--show: there are no colours here")
    for one in found if show and is_possible() else ():
        if len(found) > 1:
            field("text", one.corpus.source)
        show_surprisals(one.corpus.vocabulary, *one.beginning(show), len(one.part.ids))
    if as_json:
        print_json(found[0].as_json() if len(found) == 1 else [one.as_json() for one in found])
    elif lines:
        show_lines(found) if sys.stdout.isatty() else print_lines(found)


def _attribute(models: Sequence[Checkpoint], texts: Sequence[str], encoding: str | None, as_json: bool) -> None:
    """Several models: which of them each text is likeliest under."""
    from charrnn.cli.score.attribution import attribute_all, show_attributions
    from charrnn.cli.shared.terminal import print_json
    from charrnn.cli.shared.texts import locate_all

    if not texts:
        raise UsageError("score: which text is likelier under which model? name one with --text")
    found = attribute_all(models, locate_all(texts), encoding)
    if as_json:
        print_json(found[0].as_json() if len(found) == 1 else [one.as_json() for one in found])
    else:
        show_attributions(found)
