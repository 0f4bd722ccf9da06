"""`charrnn train`: fit a network to a text."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig

if TYPE_CHECKING:
    from charrnn.training.loop import Stop


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
    from charrnn.cli.texts import locate, read, show_text

    text_path = locate(text)
    path = place(out, f"{text_path.stem}-{model.cell}{'-ngram' * with_ngram}")
    refuse_to_overwrite(path, force)
    refuse_to_overwrite(last_path(path), force)
    check_writable(path)

    from charrnn.cli.devices import choose
    from charrnn.cli.train_display import TrainDisplay
    from charrnn.cli.train_mixture import count, finish, say_what_counts_add
    from charrnn.text.streams import Streams
    from charrnn.training.keeping import Keeper
    from charrnn.training.recipes import with_budget
    from charrnn.training.several import train_all

    where = choose(device)
    source = read(text_path, corpus)
    show_text(source)
    mixing = count(source) if with_ngram else None
    ids = mixing.divided.rest if mixing else source.train
    reserved = mixing.reserved if mixing else 0.0
    spent = time.perf_counter() - started + reserved
    recipe = with_budget(model, training, said(context), len(ids), where, spent, with_ngram)
    with_steps = replace(recipe.training, minutes=training.minutes)  # which are said instead of the minutes
    chosen = f"{changed(model, recipe.model)} {changed(training, with_steps)}".strip()
    model, training = recipe.model, recipe.training
    streams = Streams(ids, training.batch_size, training.seq_length)
    keeper = Keeper(path, source, training, started, tuple(sys.argv))
    with TrainDisplay(keeper, streams, recipe, where, chosen) as display, _ctrl_c() as stop:
        for step, is_best in train_all(keeper, model, streams, where, reserved, stop, display.validating):
            display.show(step, is_best)
    if stop.asked:
        display.show_end(as_json)
        raise KeyboardInterrupt
    if mixing:
        finish(mixing, keeper)
    display.show_end(as_json)
    if not mixing:
        say_what_counts_add(keeper)


@contextmanager
def _ctrl_c() -> Iterator[Stop]:
    """The first Ctrl-C asks the training to stop; a second one leaves at once."""
    from charrnn.cli.terminal import say
    from charrnn.training.loop import Stop

    stop = Stop()

    def ask(*_: object) -> None:
        stop.ask()
        signal.signal(signal.SIGINT, before)
        say("stopping: validates and saves first; Ctrl-C again leaves at once")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
