"""Confusion of few different targets: how often each one was predicted for lines that expect each one."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, TextError
from charrnn.files import atomic_write

MAX_CLASSES = 50
"""The maximum number of different expected targets: more do not fit on a picture, and are hardly classes."""
MIN_LINES_PER_CLASS = 2
"""The mean number of lines per expected target from which the targets are considered classes."""


class ConfusionMatrix:
    """The number of lines by expected and predicted target, of at most `MAX_CLASSES` expected targets.

    Attributes:
        lines: {(expected target, predicted target): number of lines}; empty once there are too many classes.
        number: number of expected targets; `MAX_CLASSES` + 1 once there are too many.
    """

    def __init__(self) -> None:
        self.lines: Counter[tuple[str, str]] = Counter()
        self.number = 0
        self._expected: Counter[str] = Counter()

    def add(self, predicted: str, expected: str, lines: int = 1) -> None:
        """Count lines."""
        if self.number > MAX_CLASSES:
            return
        self.lines[expected, predicted] += lines
        self._expected[expected] += lines
        self.number = len(self._expected)
        if self.number > MAX_CLASSES:
            self.lines.clear()
            self._expected.clear()

    @property
    def classes(self) -> list[str]:
        """The expected targets, sorted: C of them."""
        return sorted(self._expected)

    @property
    def total(self) -> int:
        """The number of lines."""
        return self._expected.total()

    @property
    def accuracy(self) -> float:
        """The fraction of lines that are predicted as expected; 0 without lines."""
        return sum(self.lines[name, name] for name in self._expected) / max(1, self.total)

    @property
    def majority(self) -> tuple[str, float] | None:
        """The most frequent expected target, and its fraction of the lines; None if the targets are no classes.

        Of equally frequent targets, the first one in the alphabet.
        """
        if len(self._expected) < 2 or self.total < MIN_LINES_PER_CLASS * len(self._expected):
            return None
        name = min(self._expected, key=lambda name: (-self._expected[name], name))
        return name, self._expected[name] / self.total

    @property
    def columns(self) -> list[str]:
        """The predicted targets: the classes, and a name for all others if there are any."""
        classes = self.classes
        if all(predicted in self._expected for _, predicted in self.lines):
            return classes
        other = "other"
        while other in classes:
            other = f"({other})"
        return [*classes, other]

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of lines (C, C or C + 1): a row for each expected target, a column for each predicted one."""
        places = {name: place for place, name in enumerate(self.classes)}
        counts = np.zeros((len(places), len(self.columns)), np.int64)
        for (expected, predicted), lines in self.lines.items():
            counts[places[expected], places.get(predicted, len(places))] += lines
        return counts

    def write_csv(self, path: Path) -> None:
        """Save the matrix: a line for each expected target.

        Raises:
            CharRNNError: the file cannot be written.
        """
        encoding: Any = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}  # targets may be any bytes
        try:
            with atomic_write(path) as temporary, temporary.open("w", **encoding) as file:
                writer = csv.writer(file)
                writer.writerow(["expected", *self.columns])
                writer.writerows([name, *row] for name, row in zip(self.classes, self.counts.tolist(), strict=True))
        except OSError as error:
            raise CharRNNError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error


def check_classes(source: str, number: int, advice: str) -> None:
    """Raise TextError if a confusion matrix cannot show this number of different targets."""
    if number > MAX_CLASSES:
        raise TextError(
            f"{source}: more than {MAX_CLASSES} different targets, too many for a confusion matrix; {advice}"
        )
    if not number:
        raise TextError(f"{source}: no targets to compare with; use lines of source, separator and target")
