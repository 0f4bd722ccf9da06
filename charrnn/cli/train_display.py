"""What `charrnn train` shows: a header, a bar, a line at each validation with a sample, and the end."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from charrnn.checkpoint import load
from charrnn.cli.terminal import bar, field, one_line, print_json, quoted, say
from charrnn.config import SamplingConfig
from charrnn.models.ensemble import make_network
from charrnn.sampling.generate import generate
from charrnn.scoring.compare import json_of
from charrnn.text.sources import STANDARD_INPUT
from charrnn.text.streams import Streams
from charrnn.training.exchange import Step
from charrnn.training.keeping import Keeper
from charrnn.training.loop import Training
from charrnn.training.recipes import Recipe
from charrnn.training.schedule import Plan

SAMPLING = SamplingConfig(temperature=0.8, length=72)
"""How the samples along the way are drawn; the seed is the number of the step."""
REPORTS = 10
"""How many lines a training prints, where validations are rarer."""
REFRESH = 0.2
"""Seconds between looks at the loss, which on a GPU is worth waiting for only now and then."""
SMOOTHING = 0.9
STEP_COPIES = 7
"""How often the logits of a step lie in memory at its height, gradients and all; as measured with 100,000 characters on
a CPU."""
MUCH_MEMORY = 1.0
"""Gigabytes that are worth a line."""
BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


class TrainDisplay:
    """The screen of one training.

    Args:
        keeper: of its checkpoints.
        streams: its batches.
        recipe: what was chosen, and why.
        device: where it is trained.
        repeat: the options that were chosen, as they are typed; None where no single command repeats the run.
    """

    def __init__(
        self, keeper: Keeper, streams: Streams, recipe: Recipe, device: torch.device, repeat: str | None = None
    ) -> None:
        self.keeper, self.streams, self.recipe, self.repeat = keeper, streams, recipe, repeat
        self.device, self.networks = device, recipe.model.networks
        self.plan: Plan | None = None
        self.loss: float | None = None
        self.speed = 0.0
        self.characters = 0
        self.since_report: list[Tensor] = []
        self.looked_at = time.perf_counter()
        self.last: Step | None = None
        self.training: Training | None = None

    def __enter__(self) -> Self:
        self._show_header()
        self.bar = bar(None, "starting", "step", bar_format="{desc}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()

    def _show_header(self) -> None:
        config, vocab_size = self.keeper.config, len(self.keeper.corpus.vocabulary)
        for name, reason in self.recipe.reasons:
            field(name, reason)
        with torch.device("meta"):
            parameters = make_network(self.recipe.model, vocab_size).parameter_count
        field("model", f"{self.recipe.model}, {parameters:,} parameters, on {self.device}")
        shrunk = self.streams.batch_size < config.batch_size or self.streams.seq_length < config.seq_length
        is_one = self.keeper.corpus.documents is None
        asked = f" (the text is too short for {config.batch_size} of {config.seq_length})" if shrunk and is_one else ""
        field("batch", f"{self.streams}{asked}")
        size = self.streams.batch_size * self.streams.seq_length
        memory = STEP_COPIES * 4 * size * vocab_size / 1e9
        if memory > MUCH_MEMORY:
            field(
                "memory",
                f"about {memory:.1f} GB, for {size:,} characters a step times {vocab_size:,} different ones; --bytes, "
                "which knows 256, needs little, and a smaller --batch-size or --seq-length less",
            )

    def validating(self, done: int, total: int) -> None:
        """Show how far a validation is."""
        self.bar.set_description_str(f"validating {100 * done // total}%")

    def show(self, step: Step, is_best: bool) -> None:
        """Take in a step, and print a line if it deserves one."""
        self.last = step
        if self.keeper.training is not self.training:
            self.training = self.keeper.training
            self.bar.reset(self.plan.steps if self.plan else None)
            self.bar.initial = self.bar.n = self.bar.last_print_n = step.number - 1  # more than 0 if it was resumed
        self.characters += step.characters
        self.since_report.append(step.loss)
        if step.plan and step.plan is not self.plan:
            self._show_plan(step.plan)
        now = time.perf_counter()
        if now - self.looked_at > REFRESH or step.score or step.last:
            self._look(step, now)
        self.bar.update(step.number - self.bar.n)
        if step.score or step.last or self._is_due(step):
            self._report(step, is_best)

    def _show_plan(self, plan: Plan) -> None:
        self.plan = plan
        self.bar.total, self.bar.bar_format = plan.steps, BAR_FORMAT
        epochs = plan.steps / self.streams.steps_per_epoch
        when = f"every {plan.validate_every:,}" if plan.validate_every < plan.steps else "at the end"
        how = f"{plan.steps:,} steps ({epochs:.2g} epochs), validation {when}"
        if self.keeper.config.minutes and self.repeat is not None:
            again = f"--steps {plan.steps} {self.repeat}".strip()
            how += f"; `{again}` repeats this run"
        whole = len(self.keeper.corpus.validation)
        if plan.val_characters < whole:
            how += f"; to stay in time, validation reads {plan.val_characters:,} of {whole:,} characters"
        field("plan", how)

    def _look(self, step: Step, now: float) -> None:
        loss = step.loss.item()
        speed = self.characters / (now - self.looked_at)
        if self.loss is None:
            self.loss, self.speed = loss, speed
        self.loss += (1 - SMOOTHING) * (loss - self.loss)
        if not step.score:  # else the time has gone into validating
            self.speed += (1 - SMOOTHING) * (speed - self.speed)
        self.characters, self.looked_at = 0, now
        bits = self.loss / math.log(2)
        self.bar.set_description_str(
            f"loss {self.loss:.3f} ({bits:.3f} bits/char), {self.speed:,.0f} chars/s", refresh=False
        )

    def _is_due(self, step: Step) -> bool:
        if self.plan is None:
            return False
        every = max(1, self.plan.steps * self.networks // REPORTS)
        # The last step has a line of its own, and one shortly before it would say the same.
        return step.number % every == 0 and self.plan.steps - step.number >= every / 2

    def _report(self, step: Step, is_best: bool) -> None:
        which = f"network {len(self.keeper.finished) + 1}/{self.networks}, " if self.networks > 1 else ""
        at = f"{which}step {step.number}" + (f"/{self.plan.steps}" if self.plan else "")
        loss = torch.stack(self.since_report).mean().item()
        self.since_report.clear()
        line = f"{at}: training loss {loss:.3f}, {self.speed:,.0f} chars/s"
        if step.score:
            best = " (best so far)" if is_best else ""
            line = f"{at}: training loss {loss:.3f}, validation {step.score}{best}"
        say(line, style="bold" if step.score else "")
        model, corpus = self.keeper.training.model, self.keeper.corpus
        config = dataclasses.replace(SAMPLING, seed=step.number)
        written = generate(model, corpus.vocabulary, config, documents=corpus.documents)
        say(f"    {one_line(''.join(written))}", style="dim")
        self.looked_at = time.perf_counter()

    def show_stopped(self, paths: Sequence[Path]) -> None:
        """Say where the training is, and how it goes on."""
        if self.last:
            field("saved", f"{self.keeper.last_path}, after step {self.last.number}")
        text = " ".join("-" if path == STANDARD_INPUT else quoted(path) for path in paths)
        field("go on", f"charrnn train {text} --resume {quoted(self.keeper.last_path)}")

    def show_end(self, as_json: bool) -> None:
        """Say what came out and what to do with it."""
        keeper, facts = self.keeper, self.keeper.facts
        if facts is None:
            return
        trained = len(keeper.finished)
        if 0 < trained < self.networks:
            field("networks", f"{trained} of {self.networks} are ready; `--networks {trained}` makes the same")
        if keeper.score and not keeper.is_mixed:  # else the mixture's score is said already
            how = f"after step {keeper.best_step}" if trained == 1 else f"of {trained} networks together"
            field("best", f"validation {keeper.score}, {how}")
        field("checkpoint", f"{keeper.path} (best), {keeper.last_path.name} (last)")
        field("write", f"charrnn sample {quoted(keeper.path)} --temp 0.8")
        if as_json:
            print_json(json_of(load(keeper.path)))
