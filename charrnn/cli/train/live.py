"""The live display of `charrnn train` on a terminal: progress, loss curves, speed and the latest sample."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator

from rich.cells import chop_cells
from rich.console import ConsoleOptions
from rich.text import Text

from charrnn.cli.shared.terminal import LABEL, escape_control_chars
from charrnn.cli.train.curve import Curve, forward_fill, value_range
from charrnn.formatting import ASCII_BARS, BARS, clock, sparkline
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.monitor import Report

WIDEST = 100
"""The maximum width of the display, in columns."""
NARROW = 64
"""The width below which figures are shown without units, in columns."""
SAMPLE_LINES = 4
"""The maximum number of lines of a sample."""
ECHO = 3
"""Columns left free at the right, where a terminal echoes ^C; without them the echo would start a new line."""
OTHER_LINES = 7
"""Lines of the terminal that a sample leaves free."""
SAMPLE_EVERY = 10.0
"""The minimum time between samples, in seconds."""
SAMPLE_SHARE = 200
"""The minimum time between samples, as a multiple of the time a sample takes: at most half a percent is for samples."""
DRAW_EVERY = 0.1
"""The minimum time between redraws, in seconds."""


class TrainLive:
    """The live display of a training run.

    Args:
        networks: the number of networks, which are trained one after the other.
        draw: redraws the display.
    """

    def __init__(self, networks: int, draw: Callable[[], None] = lambda: None) -> None:
        self.networks, self.draw = networks, draw
        self.latest: Report | None = None
        self.network = 0
        self.sample = ""
        self.status = "starting"
        self.drawn_at = self.next_sample = 0.0
        self._begin(1, 0)

    def recall(self, records: Iterable[Record]) -> None:
        """Add the records of the earlier part of a resumed training to the curves."""
        for record in records:
            if record.network != self.network:
                self._begin(record.network, 0)
            if record.loss is not None:
                self.training.add(record.step, record.loss)
            if record.nats_per_char is not None:
                self.validation.add(record.step, record.nats_per_char)

    def wants_sample(self) -> bool:
        """Whether the next sample is due."""
        return time.perf_counter() >= self.next_sample

    def report(self, report: Report) -> None:
        """Show a report, and redraw."""
        before, self.latest = self.latest, report
        if report.network != self.network or (before and report.step < before.step):
            self._begin(report.network, report.step - report.steps)
        self.training.add(report.step, report.loss)
        if report.score and not report.score.impossible:
            self.validation.add(report.step, report.score.nats_per_char)
        if report.sample is not None:
            self.sample = report.sample
            self.next_sample = time.perf_counter() + max(SAMPLE_EVERY, SAMPLE_SHARE * report.sample_seconds)
        self.status = f"{report.chars_per_second:,.0f} chars/s, {clock(report.elapsed)} elapsed"
        if report.remaining is not None:
            self.status += f", {clock(report.remaining)} remaining"
        self.redraw()

    def validating(self, done: int, total: int) -> None:
        """Show the progress of a validation, in characters."""
        self.status = f"validating: {100 * done // total}%"
        self.redraw()

    def redraw(self) -> None:
        """Redraw, unless the last redraw was less than `DRAW_EVERY` ago."""
        if time.perf_counter() - self.drawn_at >= DRAW_EVERY:
            self.drawn_at = time.perf_counter()
            self.draw()

    def curves(self, width: int, is_ascii: bool) -> Iterator[Text]:
        """Draw the training and the validation curve, from step 0 to the last, on the same scale."""
        is_narrow = width < NARROW
        figures = [_figure(curve, is_narrow) for curve in (self.training, self.validation)]
        room = self._room(width, figures)
        training, validation = (curve.columns(room, self._end()) for curve in (self.training, self.validation))
        columns = [forward_fill(training), validation]
        low, high = value_range(*columns)
        for label, style, values, figure in zip(
            ("training", "validation"), ("cyan", "green"), columns, figures, strict=True
        ):
            if any(value is not None for value in values):
                bars = sparkline(values, low, high, ASCII_BARS if is_ascii else BARS)
                yield Text.assemble((f"{label:<{LABEL}}", "bold"), (bars, style), f"  {figure}")

    def lines(self, options: ConsoleOptions) -> Iterator[Text]:
        """Return the current lines of the display, each shorter than the terminal is wide."""
        width = min(WIDEST, options.max_width - ECHO)
        lines = [*self._progress(width, options.ascii_only), *self.curves(width, options.ascii_only)]
        lines.append(Text.assemble((f"{'status':<{LABEL}}", "bold"), self.status))
        lines += self._sample_lines(width, min(SAMPLE_LINES, options.size.height - OTHER_LINES))
        for line in lines:
            line.truncate(width)
            yield line

    def _begin(self, network: int, step: int) -> None:
        """Switch to a network, or to an earlier step of the current network."""
        if network != self.network:
            self.training, self.validation = Curve(), Curve()
        for curve in (self.training, self.validation):
            curve.drop_after(step)
        self.network = network

    def _end(self) -> float:
        plan = self.latest.plan if self.latest else None
        return plan.steps if plan else max((x for x, _ in self.training.points), default=1)

    def _room(self, width: int, figures: Iterable[str]) -> int:
        """Return the number of columns left for bars."""
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
    """Format the latest value, in bits per character and in nats; only bits, without a unit, if `is_short`."""
    if curve.latest is None:
        return ""
    bits = f"{curve.latest / math.log(2):.3f}"
    return bits if is_short else f"{bits} bits/char ({curve.latest:.3f} nats)"
