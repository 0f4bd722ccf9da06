"""`charrnn train`: fit a network to a text."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.options import DeviceOption
from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from charrnn.cli.train.start import Beginning
    from charrnn.training.ensemble import SaveEvery
    from charrnn.training.monitor.metrics import LogWriter
    from charrnn.training.state.resume import Resumed

RESUME_FROM = "--resume-from"
"""What `--resume FILE` is for typer, which knows no options with and without a value."""


def train(
    text: Annotated[
        list[str],
        typer.Argument(
            help="Text files, which are one text: names, patterns ('novels/*.txt'), known texts (see `charrnn data`), "
            "or - for standard input. Those that end with .gz, .bz2 or .xz need not be unpacked.",
            autocompletion=completion.texts,
            show_default=False,
        ),
    ],
    *,
    corpus: CorpusConfig,
    model: ModelConfig,
    training: TrainingConfig,
    device: DeviceOption = "auto",
    out: Annotated[
        str | None,
        typer.Option(
            help="Name of the checkpoint; TEXT-CELL if not said, and of several files FIRST-and-N-more-CELL.",
            show_default=False,
        ),
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
    init_from: Annotated[
        str | None,
        typer.Option(
            help="Begin with the weights of another checkpoint; characters that it does not know are added.",
            show_default=False,
        ),
    ] = None,
    save_every: Annotated[
        str, typer.Option(help="How often to save between validations: 500 steps, or 5m for minutes.")
    ] = "5m",
    with_ngram: Annotated[
        bool,
        typer.Option("--with-ngram", help="Mix the network with the n-grams of the same text: better than either."),
    ] = False,
    tensorboard: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Write the curves and samples also for TensorBoard, into DIR/NAME (needs `pip install tensorboard`).",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    context: typer.Context,
) -> None:
    """Fit a recurrent network to a text.

    What is not said is chosen for the minutes there are: 5 on a CPU, 2 on a GPU, if no length is said.

    Keeps the best and the last state under checkpoints/. Ctrl-C saves and leaves; --resume goes on.

    A terminal that closes does the same, unless nohup is used; SIGUSR1 saves and goes on.
    """
    started = time.perf_counter()
    from charrnn.cli.shared.checkpoints import check_writable, place, refuse_to_overwrite, reserved
    from charrnn.cli.shared.devices import choose, try_features
    from charrnn.cli.shared.options import said
    from charrnn.cli.shared.texts import locate_all
    from charrnn.cli.train.again import start_again, state_of
    from charrnn.cli.train.start import Beginning, best_path
    from charrnn.cli.train.start import save_every as parsed
    from charrnn.text.sources import stem_of
    from charrnn.training.distributed import connect
    from charrnn.training.monitor.tensorboard import check_installed

    often, where = parsed(save_every), choose(device)
    with connect() as group:
        with group.rank_zero_first():
            paths = locate_all(text)
            path = best_path(resume_from, place(out, f"{stem_of(paths)}-{model.cell}{'-ngram' * with_ngram}"))
            check_writable(path)
            if tensorboard is not None:
                check_installed()
                check_writable(Path(tensorboard) / path.stem / path.name, "--tensorboard")
        with reserved(path) if group.is_rank_zero else nullcontext():
            begun = Beginning(corpus, model, training, said(context), with_ngram)
            if group.is_restarted() or resume or resume_from:
                begun = begun.go_on(path, resume_from, group)
            if not begun.resumed:
                if group.is_rank_zero:
                    refuse_to_overwrite(path, force, is_training=True)
                if init_from:
                    begun = begun.start_from(init_from, group)
            before, waited = state_of(path), time.perf_counter()
            try_features(where, "graphs", *(["triton"] if begun.model.cell.startswith("min") else []))
            started += time.perf_counter() - waited  # no part of the minutes
            try:
                status = _train(paths, path, begun, often, where, started, as_json, tensorboard)
            except Exception as error:
                if where.type == "cuda":
                    start_again(error, device, path, paths, before)
                raise
    if status:
        raise typer.Exit(status)


def _train(
    paths: Sequence[Path],
    path: Path,
    begun: Beginning,
    often: SaveEvery,
    where: torch.device,
    started: float,
    as_json: bool,
    board: str | None,
) -> int:
    """Train, mix and show; the exit status that a signal asks for."""
    from charrnn.cli.shared.checkpoints import forget_last
    from charrnn.cli.shared.options import changed
    from charrnn.cli.shared.terminal import say
    from charrnn.cli.shared.texts import read_alike, show_text
    from charrnn.cli.train.console import TrainDisplay
    from charrnn.cli.train.mixture import count, finish, say_what_counts_add
    from charrnn.cli.train.signals import stopped_by_signals
    from charrnn.text.documents import streams_of
    from charrnn.training.budget.auto_config import Recipe, machine_reasons, with_budget
    from charrnn.training.distributed import ProcessGroup
    from charrnn.training.ensemble import train_all
    from charrnn.training.mixture import divide
    from charrnn.training.monitor.metrics import MetricsLogger
    from charrnn.training.monitor.monitor import Level, Monitor
    from charrnn.training.state.checkpoints import Keeper

    group = ProcessGroup.current()
    source = read_alike(group, paths, begun.corpus, begun.vocabulary, grow=True)
    if begun.resumed:
        begun.resumed.check(source)
    show_text(source)
    begun.show()
    mixing = count(source) if begun.with_ngram and group.is_rank_zero else None
    ids = source.train
    if begun.with_ngram:
        ids = mixing.divided.rest if mixing else divide(ids, len(source.vocabulary)).rest
    kept_back, is_fixed = mixing.reserved if mixing else 0.0, where.type == "cuda"
    model, training, chosen = begun.model, begun.training, None
    recipe = Recipe(model, training, machine_reasons(training, where))
    if not begun.resumed:
        spent, vocab_size = time.perf_counter() - started + kept_back, len(source.vocabulary)
        padding = streams_of(ids, source.documents, training.batch_size, training.seq_length, is_fixed).padding
        recipe = with_budget(
            model, training, begun.said, len(ids), where, spent, begun.with_ngram, group, padding, vocab_size
        )
        # Its length is said in steps, instead of the minutes, or of the epochs that a short text is held to.
        with_steps = replace(recipe.training, minutes=training.minutes, epochs=training.epochs)
        chosen = f"{changed(model, recipe.model)} {changed(training, with_steps)}".strip()
        if group.is_rank_zero:
            forget_last(path)
    rows, length = recipe.training.batch_size, recipe.training.seq_length
    streams = streams_of(ids, source.documents, rows, length, is_fixed)
    keeper = Keeper(path, source, recipe.training, recipe.model, started, tuple(sys.argv), begun.with_ngram, say)
    writers = _writers(path, begun.resumed, board) if group.is_rank_zero else []
    with (
        TrainDisplay(keeper, streams, recipe, where, chosen) as display,
        MetricsLogger(writers, say) as logger,
        stopped_by_signals() as stop,
    ):
        display.recall(logger.existing)
        monitor = Monitor(keeper, [(Level.RECORD, logger.report), *display.sinks], display.wants_sample)
        for step, is_best in train_all(
            keeper, streams, where, kept_back, stop, display.validating, often, begun.resumed, begun.start, group
        ):
            if group.is_rank_zero:
                monitor.update(step, is_best)
    if not group.is_rank_zero:
        return stop.exit_status
    if stop.asked:
        display.show_stopped(paths)
        return stop.exit_status
    if mixing:
        finish(mixing, keeper)
    display.show_end(as_json)
    if not mixing:
        say_what_counts_add(keeper)
    return 0


def _writers(path: Path, resumed: Resumed | None, board: str | None) -> list[Callable[[], LogWriter]]:
    """Where records of the training go: beside the checkpoint, and to TensorBoard if that was asked for."""
    from charrnn.training.monitor.history import History, history_path
    from charrnn.training.monitor.tensorboard import Board

    facts = resumed.ongoing.facts if resumed else None
    after = (facts.finished + 1, facts.number) if facts else None
    steps = facts.plan[0] if facts and facts.plan else None
    writers: list[Callable[[], LogWriter]] = [lambda: History(history_path(path), after)]
    if board is not None:
        writers.append(lambda: Board(Path(board) / path.stem, after, steps))
    return writers
