"""What `charrnn train` prints: a header, lines with samples along the way, and the end; the picture is train_live's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from charrnn.checkpoint import load
from charrnn.cli.shared.terminal import can_stay_in_place, console, field, in_place, one_line, print_json, quoted, say
from charrnn.cli.train.live import ECHO, WIDEST, TrainLive
from charrnn.models.interpolated import make_network
from charrnn.scoring.compare.rows import json_of
from charrnn.text.batches import Streams
from charrnn.text.sources import STANDARD_INPUT
from charrnn.training.budget.auto_config import Recipe
from charrnn.training.events import Step
from charrnn.training.loop import Training
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.monitor import Look
from charrnn.training.optim.schedule import Plan
from charrnn.training.state.checkpoints import Keeper

SAMPLE_CHARACTERS = 72
"""Of a sample that are printed on a line."""
STEP_COPIES = 7
"""How often the logits of a step lie in memory at its height, gradients and all; as measured with 100,000 characters on
a CPU."""
MUCH_MEMORY = 1.0
"""Gigabytes that are worth a line."""


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
        self.loss, self.steps = 0.0, 0
        self.last: Step | None = None
        self.training: Training | None = None
        self.live: TrainLive | None = None
        self.closing = ExitStack()

    def __enter__(self) -> Self:
        self._show_header()
        if can_stay_in_place():
            self.live = TrainLive(self.networks)
            self.live.draw = self.closing.enter_context(in_place(self.live.lines))
            self.live.redraw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.close()
        if self.live and error is None:
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
        if self.live:
            self.live.validating(done, total)

    def show(self, step: Step, look: Look | None, sampling_seconds: float = 0.0) -> None:
        """Show a step, if there is something to see, and print a line if it deserves one.

        Args:
            step: the next one.
            look: what was seen after it.
            sampling_seconds: what drawing the sample took that was drawn last.
        """
        self.last = step
        if step.plan and step.plan is not self.plan:
            self._show_plan(step.plan)
        if look is None:
            return
        if self.keeper.training is not self.training:
            self.training, self.loss, self.steps = self.keeper.training, 0.0, 0
        self.loss += look.loss * look.steps
        self.steps += look.steps
        if self.live:
            self.live.take(look, sampling_seconds)
        if look.is_report:
            self._report(look)

    def _show_plan(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        if plan.earlier and before:
            faster = "faster" if plan.steps > before.steps else "slower"
            instead = f"{plan.steps:,} steps instead of {before.steps:,}: this machine has become {faster}"
            field("plan", f"{instead}{self._repeats(plan)}")
            return
        epochs = plan.steps / self.streams.steps_per_epoch
        when = f"every {plan.validate_every:,}" if plan.validate_every < plan.steps else "at the end"
        how = f"{plan.steps:,} steps ({epochs:.2g} epochs), validation {when}"
        how += self._repeats(plan)
        whole = len(self.keeper.corpus.validation)
        if plan.val_characters < whole:
            how += f"; to stay in time, validation reads {plan.val_characters:,} of {whole:,} characters"
        field("plan", how)

    def _repeats(self, plan: Plan) -> str:
        """The options that give the same steps without a clock; of several networks each may have a plan of its own."""
        if not self.keeper.config.minutes or self.repeat is None or (plan.earlier and self.networks > 1):
            return ""
        before = ",".join(f"{until}:{steps}" for until, steps in plan.earlier)
        again = " ".join(filter(None, (f"--steps {plan.steps}", before and f"--replanned {before}", self.repeat)))
        return f"; `{again}` repeats this run"

    def _report(self, look: Look) -> None:
        """Print a line, and a sample; where a picture shows the rest, only after validations and at the end."""
        step = look.step
        which = f"network {look.network}/{self.networks}, " if self.networks > 1 else ""
        at = f"{which}step {step.number}" + (f"/{self.plan.steps}" if self.plan else "")
        loss, self.loss, self.steps = self.loss / self.steps, 0.0, 0
        if self.live and not (step.score or step.last):
            return
        line = f"{at}: training loss {loss:.3f}, {look.chars_per_second:,.0f} chars/s"
        if step.score:
            best = " (best so far)" if look.is_best else ""
            line = f"{at}: training loss {loss:.3f}, validation {step.score}{best}"
        say(line, style="bold" if step.score else "")
        say(f"    {one_line((look.sample or '')[:SAMPLE_CHARACTERS])}", style="dim")

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
