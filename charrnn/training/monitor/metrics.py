"""The training figures that are printed or recorded (one entry each), and the logger that records them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from charrnn.errors import CheckpointError
from charrnn.training.monitor.history import History, Record
from charrnn.training.monitor.monitor import Level, Report


@dataclass(frozen=True)
class Metric:
    """A figure of a report; printed lines and records consist of the entries of `METRICS`.

    Attributes:
        name: key in the history.
        value: function that returns the figure, or None if a report does not have it.
        tag: name in TensorBoard; None: not shown.
        text: function that returns the figure for the printed line, or None if it is not printed.
    """

    name: str
    value: Callable[[Report], Any]
    tag: str | None = None
    text: Callable[[Report], str | None] = lambda report: None


def _of_validation(name: str) -> Callable[[Report], Any]:
    return lambda report: getattr(report.validation, name, None)


def _validation_text(report: Report) -> str | None:
    return f"validation {report.score}{', best so far' * report.is_best}" if report.score else None


METRICS = [
    Metric("step", lambda report: report.step),
    Metric("network", lambda report: report.network),
    Metric("seconds", lambda report: round(report.elapsed, 3)),
    Metric("learning_rate", lambda report: report.learning_rate, "learning rate"),
    Metric(
        "loss",
        lambda report: report.loss,
        "loss/training, nats per character",
        lambda report: f"training loss {report.loss / math.log(2):.3f} bits/char ({report.loss:.3f} nats)",
    ),
    Metric(
        "chars_per_second",
        lambda report: round(report.chars_per_second),
        "characters per second",
        lambda report: None if report.score else f"{report.chars_per_second:,.0f} chars/s",
    ),
    Metric("steps", lambda report: report.plan.steps if report.plan else None),
    Metric("nats_per_char", _of_validation("nats_per_char"), "loss/validation, nats per character"),
    Metric("bits_per_char", _of_validation("bits_per_char"), "validation, bits per character", _validation_text),
    Metric("characters", _of_validation("characters")),
    Metric("split", _of_validation("split")),
    Metric("rule", _of_validation("rule")),
    Metric("is_best", lambda report: report.is_best if report.validation else None),
    Metric("sample", lambda report: report.sample if report.level is Level.LINE else None, "sample"),
]
"""All figures, in the order of the history's keys and of the printed line."""


class LogWriter(Protocol):
    """A destination for records; each method raises CheckpointError if writing fails."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a record: the values of `METRICS` by name, without None."""

    def truncate(self, after: tuple[int, int], steps: int | None) -> None:
        """Drop the records after (network, step), counted from 1; each network has `steps` steps."""

    def close(self) -> None:
        """Write all buffered records."""


class MetricsLogger:
    """Recorder of reports with several writers.

    A writer that fails is reported once and gets the next record all the same; training continues.

    Args:
        writers: functions that open the writers.
        warn: called with a line for the user.
    """

    def __init__(self, writers: Sequence[Callable[[], LogWriter]], warn: Callable[[str], None]) -> None:
        self.openers, self.warn = writers, warn
        self.writers: dict[int, LogWriter] = {}
        self.failed: set[int] = set()
        self.last: tuple[int, int] = (0, 0)
        self._with_each(lambda writer: None)

    def close(self) -> None:
        """Write all buffered records."""
        self._with_each(lambda writer: writer.close())

    @property
    def existing(self) -> tuple[Record, ...]:
        """The records from before a training was resumed, if there is a history."""
        return next((writer.existing for writer in self.writers.values() if isinstance(writer, History)), ())

    def report(self, report: Report) -> None:
        """Record a report."""
        values = {metric.name: metric.value(report) for metric in METRICS}
        record = {name: value for name, value in values.items() if value is not None}
        before = report.network, report.step - report.steps
        if before < self.last:  # the loss diverged, and the training continues from an earlier state
            self._with_each(lambda writer: writer.truncate(before, record.get("steps")))
        self.last = report.network, report.step
        self._with_each(lambda writer: writer.add(record))

    def _with_each(self, action: Callable[[LogWriter], None]) -> None:
        for number, opener in enumerate(self.openers):
            try:
                if number not in self.writers:
                    self.writers[number] = opener()
                action(self.writers[number])
            except CheckpointError as error:
                if number not in self.failed:
                    self.warn(f"{error} (training continues)")
                self.failed.add(number)
