"""What `charrnn train` draws in place on a terminal: how far it is, two curves, and what the network writes now."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator

from rich.cells import chop_cells
from rich.console import ConsoleOptions
from rich.text import Text

from charrnn.cli.shared.terminal import LABEL, escape_control_chars
from charrnn.cli.train.curve import Curve, held, scale_of
from charrnn.formatting import ASCII_BARS, BARS, clock, sparkline
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.monitor import Report

WIDEST = 100
"""Columns at most."""
NARROW = 64
"""Columns below which figures are short."""
SAMPLE_LINES = 4
ECHO = 3
"""Columns at the right that stay free: a terminal writes ^C where the cursor is, and must not begin a line for it."""
OTHER_LINES = 7
"""Of a terminal, which the sample leaves free."""
SAMPLE_EVERY = 10.0
"""Seconds between samples at least."""
SAMPLE_SHARE = 200
"""Times as long as drawing a sample took, the next one is waited for: so it costs half a percent at most."""
DRAW_EVERY = 0.1
"""Seconds between two drawings at least."""


class TrainLive:
    """The picture of a training.

    Args:
        networks: how many are trained, one after the other.
        draw: draws the picture again.
    """

    def __init__(self, networks: int, draw: Callable[[], None] = lambda: None) -> None:
        self.networks, self.draw = networks, draw
        self.latest: Report | None = None
        self.network = 0
        self.sample = ""
        self.now = "starting"
        self.drawn_at = self.next_sample = 0.0
        self._begin(1, 0)

    def recall(self, records: Iterable[Record]) -> None:
        """Take in what a training that goes on has behind it."""
        for record in records:
            if record.network != self.network:
                self._begin(record.network, 0)
            if record.loss is not None:
                self.training.add(record.step, record.loss)
            if record.nats_per_char is not None:
                self.validation.add(record.step, record.nats_per_char)

    def wants_sample(self) -> bool:
        """Whether it is time for another sample."""
        return time.perf_counter() >= self.next_sample

    def report(self, report: Report) -> None:
        """Show a report."""
        before, self.latest = self.latest, report
        if report.network != self.network or (before and report.step < before.step):
            self._begin(report.network, report.step - report.steps)
        self.training.add(report.step, report.loss)
        if report.score and not report.score.impossible:
            self.validation.add(report.step, report.score.nats_per_char)
        if report.sample is not None:
            self.sample = report.sample
            self.next_sample = time.perf_counter() + max(SAMPLE_EVERY, SAMPLE_SHARE * report.sample_seconds)
        self.now = f"{report.chars_per_second:,.0f} chars/s, {clock(report.elapsed)} gone"
        if report.remaining is not None:
            self.now += f", {clock(report.remaining)} left"
        self.redraw()

    def validating(self, done: int, total: int) -> None:
        """Show how far a validation is."""
        self.now = f"validating {100 * done // total}%"
        self.redraw()

    def redraw(self) -> None:
        """Draw, unless that was done just now."""
        if time.perf_counter() - self.drawn_at >= DRAW_EVERY:
            self.drawn_at = time.perf_counter()
            self.draw()

    def curves(self, width: int, is_ascii: bool) -> Iterator[Text]:
        """Both curves, one below the other, from the first step to the last, on one scale."""
        is_narrow = width < NARROW
        figures = [_figure(curve, is_narrow) for curve in (self.training, self.validation)]
        room = self._room(width, figures)
        training, validation = (curve.columns(room, self._end()) for curve in (self.training, self.validation))
        columns = [held(training), validation]
        low, high = scale_of(*columns)
        for label, style, values, figure in zip(
            ("training", "validation"), ("cyan", "green"), columns, figures, strict=True
        ):
            if any(value is not None for value in values):
                bars = sparkline(values, low, high, ASCII_BARS if is_ascii else BARS)
                yield Text.assemble((f"{label:<{LABEL}}", "bold"), (bars, style), f"  {figure}")

    def lines(self, options: ConsoleOptions) -> Iterator[Text]:
        """The picture as it is now, each line shorter than the terminal is wide."""
        width = min(WIDEST, options.max_width - ECHO)
        lines = [*self._progress(width, options.ascii_only), *self.curves(width, options.ascii_only)]
        lines.append(Text.assemble((f"{'now':<{LABEL}}", "bold"), self.now))
        lines += self._sample_lines(width, min(SAMPLE_LINES, options.size.height - OTHER_LINES))
        for line in lines:
            line.truncate(width)
            yield line

    def _begin(self, network: int, number: int) -> None:
        """Turn to a network, or to an earlier step of it."""
        if network != self.network:
            self.training, self.validation = Curve(), Curve()
        for curve in (self.training, self.validation):
            curve.drop_after(number)
        self.network = network

    def _end(self) -> float:
        plan = self.latest.plan if self.latest else None
        return plan.steps if plan else max((x for x, _ in self.training.points), default=1)

    def _room(self, width: int, figures: Iterable[str]) -> int:
        """Columns of bars."""
        return max(1, width - LABEL - 2 - max(len(figure) for figure in (*figures, "100%")))

    def _progress(self, width: int, is_ascii: bool) -> Iterator[Text]:
        plan = self.latest.plan if self.latest else None
        if not (self.latest and plan):
            return
        step, is_narrow = self.latest.step, width < NARROW
        room = self._room(width, (_figure(curve, is_narrow) for curve in (self.training, self.validation)))
        done = room * step // plan.steps
        rail, track = ("#", "-") if is_ascii else ("━", "━")
        label = f"network {self.latest.network}/{self.networks}" if self.networks > 1 else "step"
        percent = f"{100 * step // plan.steps}%"
        figure = percent if is_narrow else f"{percent} {step:,}/{plan.steps:,}"
        yield Text.assemble(
            (f"{label:<{LABEL}}", "bold"), (rail * done, "cyan"), (track * (room - done), "dim"), f"  {figure}"
        )

    def _sample_lines(self, width: int, max_lines: int) -> Iterator[Text]:
        room = max(1, width - LABEL)
        text = escape_control_chars(self.sample).expandtabs(4)
        lines = [piece for line in text.split("\n") for piece in chop_cells(line, room)]
        label = "sample"
        for line in [line for line in lines if line.strip()][: max(0, max_lines)]:
            yield Text.assemble((f"{label:<{LABEL}}", "bold"), (line, "dim"))
            label = ""


def _figure(curve: Curve, is_short: bool) -> str:
    """The latest value, in bits per character; of a short form no unit."""
    if curve.latest is None:
        return ""
    bits = f"{curve.latest / math.log(2):.3f}"
    return bits if is_short else f"{bits} bits/char ({curve.latest:.3f} nats)"
