"""What `charrnn train` prints: a header, lines with samples along the way, and the end; live.py draws the picture."""

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
    one_line,
    print_json,
    shell_quoted,
    supports_live_display,
)
from charrnn.cli.train.live import ECHO, WIDEST, TrainLive
from charrnn.models.interpolated import make_network
from charrnn.pipeline.fit_networks import NetworkTraining, score_ngram_tip
from charrnn.scoring.compare.rows import checkpoint_summary
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.metrics import METRICS
from charrnn.training.monitor.monitor import Level, Report, Sink
from charrnn.training.optim.schedule import Plan

SAMPLE_CHARACTERS = 72
"""Of a sample that are printed on a line."""
STEP_COPIES = 7
"""How often the logits of a step lie in memory at its height, gradients and all; as measured with 100,000 characters on
a CPU."""
MUCH_MEMORY = 1.0
"""Gigabytes that are worth a line."""


class TrainDisplay:
    """The screen of one training."""

    def __init__(self, training: NetworkTraining) -> None:
        self.checkpoints, self.run, self.start = training.checkpoints, training.run, training.start
        self.mixture, self.reasons, self.networks = training.mixture, training.reasons, training.run.model.networks
        self.plan: Plan | None = None
        self.live: TrainLive | None = None

    @contextmanager
    def on_screen(self) -> Iterator[Self]:
        """Print a header, draw in place where the terminal can, and print both curves unless there was an error."""
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
        """Show what a training that goes on has behind it."""
        if self.live:
            self.live.recall(records)

    def wants_sample(self) -> bool:
        """Whether to draw a sample though there is nothing to report."""
        return self.live is not None and self.live.wants_sample()

    def _show_header(self) -> None:
        run, streams, vocab_size = self.run, self.run.streams, len(self.run.corpus.vocabulary)
        if self.mixture:
            kept = f"{self.mixture.held_out.characters:,} characters of the training part are kept for the gate"
            log_field("n-grams", f"{self.mixture.config}, counted in {self.mixture.seconds:.1f} s; {kept}")
        for name, reason in self.reasons:
            log_field(name, reason)
        with torch.device("meta"):
            parameters = make_network(run.model, vocab_size).parameter_count
        log_field("model", f"{run.model}, {parameters:,} parameters, on {run.context.device}")
        config = run.training
        shrunk = streams.batch_size < config.batch_size or streams.seq_length < config.seq_length
        is_one = run.corpus.documents is None
        asked = f" (the text is too short for {config.batch_size} of {config.seq_length})" if shrunk and is_one else ""
        log_field("batch", f"{streams}{asked}")
        size = streams.batch_size * streams.seq_length
        memory = STEP_COPIES * 4 * size * vocab_size / 1e9
        if memory > MUCH_MEMORY:
            log_field(
                "memory",
                f"about {memory:.1f} GB, for {size:,} characters a step times {vocab_size:,} different ones; --bytes, "
                "which knows 256, needs little, and a smaller --batch-size or --seq-length less",
            )

    def validating(self, done: int, total: int) -> None:
        """Show how far a validation is."""
        if self.live:
            self.live.validating(done, total)

    @property
    def sinks(self) -> list[Sink]:
        """What shows the reports of the training."""
        live: list[Sink] = [(Level.UPDATE, self.live.report)] if self.live else []
        return [(Level.UPDATE, self._show_plan_of), *live, (Level.LINE, self._print_line)]

    def _show_plan_of(self, report: Report) -> None:
        if report.plan and report.plan is not self.plan:
            self._show_plan(report.plan)

    def _show_plan(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        if plan.earlier and before:
            faster = "faster" if plan.steps > before.steps else "slower"
            instead = f"{plan.steps:,} steps instead of {before.steps:,}: this machine has become {faster}"
            log_field("plan", f"{instead}{self._repeats(plan)}")
            return
        epochs = plan.steps / self.run.streams.steps_per_epoch
        when = f"every {plan.validate_every:,}" if plan.validate_every < plan.steps else "at the end"
        how = f"{plan.steps:,} steps ({epochs:.2g} epochs), validation {when}"
        how += self._repeats(plan)
        whole = len(self.run.corpus.validation)
        if plan.val_characters < whole:
            how += f"; to stay in time, validation reads {plan.val_characters:,} of {whole:,} characters"
        log_field("plan", how)

    def _repeats(self, plan: Plan) -> str:
        """The options that give the same steps without a clock; of several networks each may have a plan of its own."""
        start, run = self.start, self.run
        if not run.training.minutes or start.resumed or (plan.earlier and self.networks > 1):
            return ""
        before = ",".join(f"{until}:{steps}" for until, steps in plan.earlier)
        # --steps gives its length, instead of the minutes.
        with_minutes = replace(run.training, minutes=start.training.minutes)
        options = (diff_as_options(start.model, run.model), diff_as_options(start.training, with_minutes))
        again = " ".join(filter(None, (f"--steps {plan.steps}", before and f"--replanned {before}", *options)))
        return f"; `{again}` repeats this run"

    def _print_line(self, report: Report) -> None:
        """Print a line, and a sample; where a picture shows the rest, only after validations and at the end."""
        if self.live and not (report.score or report.is_last):
            return
        which = f"network {report.network}/{self.networks}, " if self.networks > 1 else ""
        at = f"{which}step {report.step}" + (f"/{report.plan.steps}" if report.plan else "")
        figures = ", ".join(filter(None, (metric.text(report) for metric in METRICS)))
        log(f"{at}: {figures}", style="bold" if report.score else "")
        log(f"    {one_line((report.sample or '')[:SAMPLE_CHARACTERS])}", style="dim")

    def show_stopped(self, paths: Sequence[Path]) -> None:
        """Say where the training is, and how it goes on."""
        log_field("saved", f"{self.checkpoints.last_path}, after step {self.checkpoints.training.step}")
        text = " ".join(map(shell_quoted, paths))
        log_field("go on", f"charrnn train {text} --resume-from {shell_quoted(self.checkpoints.last_path)}")

    def show_end(self, as_json: bool) -> None:
        """Say what came out and what to do with it."""
        checkpoints, facts = self.checkpoints, self.checkpoints.metadata
        if facts is None:
            return
        trained = len(checkpoints.finished)
        if 0 < trained < self.networks:
            log_field("networks", f"{trained} of {self.networks} are ready; `--networks {trained}` makes the same")
        if checkpoints.score and not checkpoints.is_mixed:  # else the mixture's score was printed already
            how = f"after step {checkpoints.best_step}" if trained == 1 else f"of {trained} networks together"
            log_field("best", f"validation {checkpoints.score}, {how}")
        log_field("checkpoint", f"{checkpoints.path} (best), {checkpoints.last_path.name} (last)")
        log_field("write", f"charrnn sample {shell_quoted(checkpoints.path)} --temp 0.8")
        if as_json:
            print_json(checkpoint_summary(load(checkpoints.path)))


def finish_mixture(training: NetworkTraining) -> None:
    """Mix the best state of the network with the n-grams, and print all three scores."""
    checkpoints = training.checkpoints
    itself = "by themselves, together" if len(checkpoints.finished) > 1 else "by itself"
    log_field("network", f"validation {checkpoints.score or 'none was held out'}, {itself}")
    ngram_score, score = training.finish_mixture()
    if ngram_score:
        log_field("n-grams", f"validation {ngram_score}, by themselves")
    log_field("mixture", f"validation {score or 'none was held out'}")


def show_ngram_tip(training: NetworkTraining) -> None:
    """Print what n-grams, mixed with the network or alone, would score on some held-out characters, if it is better."""
    corpus = training.run.corpus
    tip = score_ngram_tip(training.checkpoints.network, corpus)
    if tip is None:
        return
    network, ngram, mixed = tip
    characters = network.characters
    where = "" if characters == len(corpus.validation) else f" of the first {characters:,} held-out characters"
    instead = f"bits per character instead of {network.bits_per_char:.3f}{where}"
    if mixed.nats_per_char < min(network.nats_per_char, ngram.nats_per_char):
        log_field("n-grams", f"with them, {mixed.bits_per_char:.3f} {instead}; `charrnn train --with-ngram` mixes both")
    elif ngram.nats_per_char < network.nats_per_char:
        log_field("n-grams", f"by themselves, {ngram.bits_per_char:.3f} {instead}; `charrnn ngram` keeps them")
