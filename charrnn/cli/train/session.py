"""A training session in the terminal: reads the text, trains and shows progress, until the end or a signal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from charrnn.cli.shared.checkpoints import delete_resume_files
from charrnn.cli.shared.terminal import log_field, progress
from charrnn.cli.shared.texts import read_on_all_ranks, show_corpus
from charrnn.cli.train.console import TrainDisplay, finish_mixture, show_ngram_tip
from charrnn.cli.train.signals import stopped_by_signals
from charrnn.cli.train.start import show_start
from charrnn.pipeline.fit_networks import NetworkTraining, TrainingStart
from charrnn.training.ensemble import SaveEvery
from charrnn.training.monitor.history import History, history_path
from charrnn.training.monitor.metrics import LogWriter, MetricsLogger
from charrnn.training.monitor.monitor import Level
from charrnn.training.monitor.tensorboard import Board
from charrnn.training.run_context import RunContext


def train_on_screen(
    paths: Sequence[Path],
    path: Path,
    start: TrainingStart,
    context: RunContext,
    save_every: SaveEvery,
    tensorboard: str | None,
    as_json: bool,
) -> int:
    """Train the networks, mix them with n-grams if `start` says so, and print the results.

    Returns:
        The exit status: 0, or that of the signal that stopped the training.
    """
    is_rank_zero = context.group.is_rank_zero
    corpus = read_on_all_ranks(context.group, paths, start.corpus, start.vocabulary, grow=True)
    if start.resumed:
        start.resumed.check(corpus)
    show_corpus(corpus)
    show_start(start)
    if not (start.resumed or start.training.steps or start.training.epochs):
        log_field("status", "measuring how fast networks train on this machine")  # many seconds if it is slow or busy
    training = NetworkTraining(path, corpus, start, context, progress)
    if is_rank_zero and not start.resumed:
        delete_resume_files(path)
    writers = _log_writers(path, start, tensorboard) if is_rank_zero else []
    with (
        TrainDisplay(training).on_screen() as display,
        closing(MetricsLogger(writers, context.warn)) as logger,
        stopped_by_signals() as stop,
    ):
        display.recall(logger.existing)
        sinks = [(Level.RECORD, logger.report), *display.sinks]
        for _ in training.steps(save_every, stop, display.validating, sinks, display.wants_sample):
            pass
    if not is_rank_zero:
        return stop.exit_status
    if stop.requested:
        display.show_stopped(paths)
        return stop.exit_status
    if training.mixture:
        finish_mixture(training)
    display.show_end(as_json)
    if not training.mixture:
        show_ngram_tip(training)
    return 0


def _log_writers(path: Path, start: TrainingStart, tensorboard: str | None) -> list[Callable[[], LogWriter]]:
    """Return functions that open the logs of a training: the history next to the checkpoint, and TensorBoard."""
    progress_before = start.resumed.resume_state.progress if start.resumed else None
    after = (progress_before.finished + 1, progress_before.number) if progress_before else None
    steps = progress_before.plan[0] if progress_before and progress_before.plan else None
    writers: list[Callable[[], LogWriter]] = [lambda: History(history_path(path), after)]
    if tensorboard is not None:
        writers.append(lambda: Board(Path(tensorboard) / path.stem, after, steps))
    return writers
