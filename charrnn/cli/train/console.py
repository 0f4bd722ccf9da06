"""Terminal output of `charrnn train`: header, progress lines with samples, summary; live.py has the live display."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch

from charrnn.checkpoint import load
from charrnn.cli.shared.config_options import diff_as_options
from charrnn.cli.shared.terminal import (
    console,
    live_display,
    log,
    log_field,
    log_wrapped,
    one_line,
    print_json,
    shell_quoted,
    supports_live_display,
)
from charrnn.cli.train.live import ECHO, WIDEST, TrainLive
from charrnn.formatting import plural
from charrnn.models.interpolated import make_network
from charrnn.pipeline.fit_networks import NetworkTraining, score_ngram_tip
from charrnn.scoring.compare.rows import checkpoint_summary
from charrnn.text.batches import DocumentStreams
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.metrics import METRICS
from charrnn.training.monitor.monitor import Level, Report, Sink
from charrnn.training.optim.schedule import Plan

SAMPLE_CHARACTERS = 72
"""Number of characters of a sample that fit on a line."""
STEP_COPIES = 7
"""Peak memory of a step, gradients included, as a multiple of its logits; measured on a CPU with a vocabulary of
100,000 characters."""
MUCH_MEMORY = 1.0
"""Memory of a step, in gigabytes, above which a line is printed."""


class TrainDisplay:
    """Terminal output of one training run."""

    def __init__(self, training: NetworkTraining) -> None:
        self.checkpoints, self.run, self.start = training.checkpoints, training.run, training.start
        self.mixture, self.reasons, self.networks = training.mixture, training.reasons, training.run.model.networks
        self.plan: Plan | None = None
        self.live: TrainLive | None = None

    @contextmanager
    def on_screen(self) -> Iterator[Self]:
        """Print a header, show a live display if the terminal supports one, and print both curves after success."""
        self._show_header()
        if not supports_live_display():
            yield self
            return
        self.live = TrainLive(self.networks)
        with live_display(self.live.lines) as self.live.draw:
            self.live.redraw()
            yield self
        screen = console()
        for line in self.live.curves(min(WIDEST, screen.width - ECHO), screen.options.ascii_only):
            screen.print(line, soft_wrap=True)

    def recall(self, records: Iterable[Record]) -> None:
        """Show the records of the earlier part of a resumed training."""
        if self.live:
            self.live.recall(records)

    def wants_sample(self) -> bool:
        """Whether the live display is due for a new sample."""
        return self.live is not None and self.live.wants_sample()

    def _show_header(self) -> None:
        run, streams, vocab_size = self.run, self.run.streams, len(self.run.corpus.vocabulary)
        if self.mixture:
            held_back = f"{self.mixture.held_out.characters:,} training characters are set aside to fit the mixture"
            log_wrapped("n-grams", f"{self.mixture.config}, counted in {self.mixture.seconds:.1f} s; {held_back}")
        for name, reason in self.reasons:
            log_wrapped(name, reason)
        with torch.device("meta"):
            parameters = make_network(run.model, vocab_size).parameter_count
        layers = f"{plural(run.model.num_layers, 'layer')} of {run.model.hidden_size:,} units"
        log_wrapped("model", f"{run.model}: {layers}, {parameters:,} parameters, on {run.context.device}")
        config = run.training
        shrunk = streams.batch_size < config.batch_size or streams.seq_length < config.seq_length
        is_one = run.corpus.documents is None
        too_short = f" (the text is too short for {config.batch_size} x {config.seq_length})"
        log_wrapped("batch", f"{streams}{too_short if shrunk and is_one else ''}")
        if isinstance(streams, DocumentStreams) and streams.cuts_in_two:
            cut = f"{streams.share_cut:.0%} of the documents are longer than {streams.seq_length} characters"
            log_wrapped("tip", f"{cut}, and are cut in two; --seq-length {streams.longest} reads each of them whole")
        size = streams.batch_size * streams.seq_length
        memory = STEP_COPIES * 4 * size * vocab_size / 1e9
        if memory > MUCH_MEMORY:
            log_wrapped(
                "memory",
                f"about {memory:.1f} GB per step, for a batch of {size:,} characters and a vocabulary of "
                f"{vocab_size:,}; to use less, try --bytes, or a smaller --batch-size or --seq-length",
            )

    def validating(self, done: int, total: int) -> None:
        """Show the progress of a validation, in characters."""
        if self.live:
            self.live.validating(done, total)

    @property
    def sinks(self) -> list[Sink]:
        """The functions that show reports, each with the lowest level of report that it takes."""
        live: list[Sink] = [(Level.UPDATE, self.live.report)] if self.live else []
        return [(Level.UPDATE, self._show_plan_of), *live, (Level.LINE, self._print_line)]

    def _show_plan_of(self, report: Report) -> None:
        if report.plan and report.plan is not self.plan:
            self._show_plan(report.plan)

    def _show_plan(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        if plan.earlier and before:
            faster = "faster" if plan.steps > before.steps else "slower"
            instead = f"{plan.steps:,} steps instead of {before.steps:,}"
            log_wrapped("plan", f"{instead}, because training is {faster} than planned")
            return
        epochs = plan.steps / self.run.streams.steps_per_epoch
        when = f"every {plan.validate_every:,} steps" if plan.validate_every < plan.steps else "at the end"
        line = f"{plan.steps:,} steps ({epochs:.2g} epochs), validation {when}"
        total = len(self.run.corpus.validation)
        if plan.val_characters < total:
            line += f"; to save time, validation reads only the first {plan.val_characters:,} of {total:,} characters"
        log_wrapped("plan", line)

    def _repeating_options(self) -> str | None:
        """The options that repeat a run timed with --minutes, if there are any: each network may have its own plan."""
        start, run, plan = self.start, self.run, self.plan
        if not run.training.minutes or not plan or start.resumed or (plan.earlier and self.networks > 1):
            return None
        before = ",".join(f"{until}:{steps}" for until, steps in plan.earlier)
        # --steps replaces --minutes.
        with_minutes = replace(run.training, minutes=start.training.minutes)
        options = (diff_as_options(start.model, run.model), diff_as_options(start.training, with_minutes))
        return " ".join(filter(None, (f"--steps {plan.steps}", before and f"--replanned {before}", *options)))

    def _print_line(self, report: Report) -> None:
        """Print a line of figures and a sample; with a live display, only after validations and at the end."""
        if self.live and not (report.score or report.is_last):
            return
        which = f"network {report.network}/{self.networks}, " if self.networks > 1 else ""
        at = f"{which}step {report.step}" + (f"/{report.plan.steps}" if report.plan else "")
        figures = ", ".join(filter(None, (metric.text(report) for metric in METRICS)))
        log(f"{at}: {figures}", style="bold" if report.score else "")
        log(f"    {one_line((report.sample or '')[:SAMPLE_CHARACTERS])}", style="dim")

    def show_stopped(self, paths: Sequence[Path]) -> None:
        """Print the checkpoint that an interrupted training left, and the command that resumes it."""
        log_field("saved", f"{self.checkpoints.last_path}, after step {self.checkpoints.training.step}")
        text = " ".join(map(shell_quoted, paths))
        log_field("resume with", f"charrnn train {text} --resume-from {shell_quoted(self.checkpoints.last_path)}")

    def show_end(self, as_json: bool) -> None:
        """Print the result of a finished training, and the next command."""
        checkpoints, facts = self.checkpoints, self.checkpoints.metadata
        if facts is None:
            return
        trained = len(checkpoints.finished)
        if 0 < trained < self.networks:
            in_time = f"{trained} of {self.networks} trained in the time available"
            log_field("networks", f"{in_time}; `--networks {trained}` gives the same result")
        if checkpoints.score and not checkpoints.is_mixed:  # the score of a mixture was printed already
            which = (
                f"after step {checkpoints.best_step}"
                if trained == 1
                else f"averaging the predictions of {trained} networks"
            )
            log_field("best", f"validation {checkpoints.score}, {which}")
        log_field("checkpoint", f"{checkpoints.path} (best), {checkpoints.last_path.name} (last)")
        options = self._repeating_options()
        if options:
            log_field("repeat with", f"{options}  # instead of --minutes")
        log_field("next", f"charrnn sample {shell_quoted(checkpoints.path)} --temp 0.8")
        if as_json:
            print_json(checkpoint_summary(load(checkpoints.path)))


def finish_mixture(training: NetworkTraining) -> None:
    """Mix the best state of the network with the n-grams, and print all three scores."""
    checkpoints = training.checkpoints
    label = "networks" if len(checkpoints.finished) > 1 else "network"
    if checkpoints.score:
        log_field(label, f"alone: validation {checkpoints.score}")
    ngram_score, score = training.finish_mixture()
    if ngram_score:
        log_field("n-grams", f"alone: validation {ngram_score}")
    log_field("mixture", f"validation {score}" if score else "not scored: there is no validation set")


def show_ngram_tip(training: NetworkTraining) -> None:
    """Print the score of n-grams, alone or averaged with the network, if that is better than the network."""
    corpus = training.run.corpus
    tip = score_ngram_tip(training.checkpoints.network, corpus)
    if tip is None:
        return
    network, ngram, mixed = tip
    characters = network.characters
    where = "" if characters == len(corpus.validation) else f" on the first {characters:,} held-out characters"
    instead = f"bits/char instead of {network.bits_per_char:.3f}{where}"
    if mixed.nats_per_char < min(network.nats_per_char, ngram.nats_per_char):
        average = f"averaging the network with n-grams gives {mixed.bits_per_char:.3f} {instead}"
        log_wrapped("tip", f"{average}; train with --with-ngram to mix both")
    elif ngram.nats_per_char < network.nats_per_char:
        log_wrapped("tip", f"n-grams alone give {ngram.bits_per_char:.3f} {instead}; `charrnn ngram TEXT` fits them")
