"""`charrnn train`: fit a network to a text."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Annotated

import typer

from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig

RESUME_FROM = "--resume-from"
"""What `--resume FILE` is for typer, which knows no options with and without a value."""


def train(
    text: Annotated[
        str,
        typer.Argument(help="A text file, or a known text (see `charrnn data`).", show_default=False),
    ],
    *,
    corpus: CorpusConfig,
    model: ModelConfig,
    training: TrainingConfig,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    out: Annotated[
        str | None,
        typer.Option(help="Name of the checkpoint; TEXT-CELL if not said.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing checkpoint.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where the training of that name was stopped, as if it had never been; or `--resume FILE`. "
            "Where there is none, begin.",
        ),
    ] = False,
    resume_from: Annotated[str | None, typer.Option(RESUME_FROM, hidden=True)] = None,
    save_every: Annotated[
        str, typer.Option(help="How often to save between validations: 500 steps, or 5m for minutes.")
    ] = "5m",
    with_ngram: Annotated[
        bool,
        typer.Option("--with-ngram", help="Mix the network with the n-grams of the same text: better than either."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    context: typer.Context,
) -> None:
    """Fit a recurrent network to a text.

    What is not said is chosen for the minutes there are: 5 on a CPU, 2 on a GPU, if no length is said.

    Keeps the best and the last state under checkpoints/. Ctrl-C validates, saves and leaves.
    """
    started = time.perf_counter()
    from charrnn.checkpoint import last_path
    from charrnn.cli.checkpoints import check_writable, place, refuse_to_overwrite
    from charrnn.cli.options import changed, said
    from charrnn.cli.signals import stopped_by_signals
    from charrnn.cli.texts import locate, read, show_text
    from charrnn.cli.train_resume import begun, parse_save_every, refuse_changes, show_resumed

    text_path = locate(text)
    path = place(out, f"{text_path.stem}-{model.cell}{'-ngram' * with_ngram}")
    often = parse_save_every(save_every)
    resumed = None
    if resume or resume_from:
        path, resumed = begun(path, resume_from)
    if not resumed:
        refuse_to_overwrite(path, force)
        refuse_to_overwrite(last_path(path), force)
    check_writable(path)

    from charrnn.cli.devices import choose
    from charrnn.cli.train_display import TrainDisplay
    from charrnn.cli.train_mixture import count, finish, say_what_counts_add
    from charrnn.text.streams import Streams
    from charrnn.training.keeping import Keeper
    from charrnn.training.recipes import Recipe, with_budget
    from charrnn.training.several import train_all

    where, given = choose(device), said(context)
    if resumed:
        facts = resumed.ongoing.facts
        refuse_changes(resumed, given, corpus, model, training)
        corpus, model, training = resumed.checkpoint.facts.text.corpus, facts.model, resumed.config
        with_ngram = facts.with_ngram
    source = read(text_path, corpus)
    if resumed:
        resumed.check(source)
    show_text(source)
    mixing = count(source) if with_ngram else None
    ids = mixing.divided.rest if mixing else source.train
    reserved = mixing.reserved if mixing else 0.0
    if resumed:
        recipe, chosen = Recipe(model, training, ()), ""
        show_resumed(resumed)
    else:
        spent = time.perf_counter() - started + reserved
        recipe = with_budget(model, training, given, len(ids), where, spent)
        with_steps = replace(recipe.training, minutes=training.minutes)  # which are said instead of the minutes
        chosen = f"{changed(model, recipe.model)} {changed(training, with_steps)}".strip()
    streams = Streams(ids, recipe.training.batch_size, recipe.training.seq_length)
    keeper = Keeper(path, source, recipe.training, recipe.model, started, tuple(sys.argv), with_ngram)
    with TrainDisplay(keeper, streams, recipe, where, chosen) as display, stopped_by_signals() as stop:
        for step, is_best in train_all(keeper, streams, where, reserved, stop, display.validating, often, resumed):
            display.show(step, is_best)
    if stop.asked:
        display.show_stopped(text)
        raise typer.Exit(stop.exit_status)
    if mixing:
        finish(mixing, keeper)
    display.show_end(as_json)
    if not mixing:
        say_what_counts_add(keeper)
