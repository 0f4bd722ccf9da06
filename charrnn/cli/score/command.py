"""`charrnn score`: how well a model predicts texts, or which of several models predicts a text best."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared.options import (
    CheckpointsArgument,
    DeviceOption,
    EncodingOption,
    JsonOption,
    check_range,
    refuse_encoding,
    text_option,
)
from charrnn.config import ScoreConfig
from charrnn.errors import UsageError

if TYPE_CHECKING:
    import torch

    from charrnn.checkpoint import Checkpoint

SHOWN = 1500
"""The number of characters that are shown in colors by default."""


def score(
    names: CheckpointsArgument = None,
    *,
    text: Annotated[
        list[str] | None,
        text_option("the held-out part of the training text", "Text to score"),
    ] = None,
    config: ScoreConfig,
    show: Annotated[
        int | None,
        typer.Option(
            help="Show the first N characters colored by surprisal; 0: none (default: "
            f"{SHOWN} for a single text on a terminal).",
            metavar="N",
            callback=check_range(0),
        ),
    ] = None,
    encoding: EncodingOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure how well models predict texts, in bits per character.

    With one checkpoint: scores each text, by default the held-out part of the training text.

    With several checkpoints: compares the likelihood of each text under each model, to find its author. Needs --text.
    """
    from charrnn.cli.shared.devices import select_device

    models = _load(names or [], select_device(device))
    if len(models) == 1:
        _score(models[0], text or [], encoding, config, show, as_json)
        return
    for option, value in (
        ("--window", config.window), ("--online", config.online), ("--lines", config.lines), ("--show", show),
    ):  # fmt: skip
        if value:
            raise UsageError(f"{option}: supports only one checkpoint; remove the option, or score one checkpoint")
    if not text:
        raise UsageError("score: with several checkpoints, pass the texts with --text")
    _attribute(models, text, encoding, as_json)


def _load(names: Sequence[str], device: torch.device) -> list[Checkpoint]:
    """Load the named checkpoints, or the newest one.

    Raises:
        UsageError: a name is that of a text, as in `charrnn score CHECKPOINT TEXT` of charrnn 0.1.
    """
    from charrnn.checkpoint import load
    from charrnn.cli.shared.locate import locate_checkpoints

    return [load(path, device) for path in dict.fromkeys(locate_checkpoints(names, "score"))]


def _score(
    model: Checkpoint, texts: Sequence[str], encoding: str | None, config: ScoreConfig, show: int | None, as_json: bool
) -> None:
    """Score each text with one model."""
    from charrnn.cli.score.heatmap import is_possible, show_surprisals
    from charrnn.cli.score.tables import print_lines, show_lines, show_text, show_texts
    from charrnn.cli.shared.locate import locate_texts
    from charrnn.cli.shared.terminal import log, log_field, print_json, progress
    from charrnn.cli.shared.texts import read_text_for, read_training_text, training_text_finder
    from charrnn.pipeline.score import score_text

    if not texts:
        refuse_encoding(encoding, "--text")
    find_training_text = training_text_finder()
    paths = locate_texts(texts, "--text")
    corpora = (read_text_for(model, path, encoding) for path in paths) if texts else [read_training_text(model)]
    scores = [score_text(model, corpus, config, find_training_text, read_training_text, progress) for corpus in corpora]
    scores.sort(key=lambda score: score.static.nats_per_char)
    log_field("model", f"{model.path}: {model.description}")
    show_text(scores[0]) if len(scores) == 1 else show_texts(scores)
    if show is None:
        show = SHOWN * (is_possible() and len(scores) == 1 and not (config.lines or as_json))
    if show and not is_possible():
        log("warning: --show has no effect: this output has no colors")
    for score in scores if show and is_possible() else ():
        if len(scores) > 1:
            log_field("text", score.corpus.source)
        show_surprisals(score.corpus.vocabulary, *score.beginning(show), len(score.split.text))
    if as_json:
        print_json(scores[0].as_json() if len(scores) == 1 else [score.as_json() for score in scores])
    elif config.lines:
        show_lines(scores) if sys.stdout.isatty() else print_lines(scores)


def _attribute(models: Sequence[Checkpoint], texts: Sequence[str], encoding: str | None, as_json: bool) -> None:
    """Compare the likelihood of each text under several models."""
    from charrnn.cli.score.tables import show_attributions
    from charrnn.cli.shared.locate import locate_texts
    from charrnn.cli.shared.terminal import print_json, progress
    from charrnn.cli.shared.texts import read, training_text_finder
    from charrnn.scoring.attribution import attribute, config_for

    config, find_training_text, attributions = config_for(models), training_text_finder(), []
    for path in locate_texts(texts, "--text"):
        corpus = read(path, replace(config, encoding=encoding or config.encoding))
        with progress(f"scoring {corpus.name}", "char") as update:
            attributions.append(attribute(models, corpus, find_training_text, update))
    if as_json:
        objects = [attribution.as_json() for attribution in attributions]
        print_json(objects[0] if len(objects) == 1 else objects)
    else:
        show_attributions(attributions)
