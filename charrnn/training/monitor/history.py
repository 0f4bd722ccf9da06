"""What happened in a training, as lines of JSON beside its checkpoint: NAME.jsonl.

Each line is one record, so that a training that is killed leaves all but its last. One that goes on from a saved state
first drops what came after that.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.checkpoint.io import best_path
from charrnn.checkpoint.metadata import from_json
from charrnn.errors import CheckpointError
from charrnn.files import atomic_write
from charrnn.paths import CHECKPOINT_SUFFIX

SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Record:
    """Some steps of a training.

    Attributes:
        step: the last of them, counted from 1 in each network.
        network: of several, counted from 1.
        seconds: since the training began, those before a pause included.
        learning_rate: of the last step.
        chars_per_second: of training.
        loss: mean nats per character of training text over these steps; None if it was no number.
        steps: how many steps the plan has; None as long as `--minutes` is still measuring.
        nats_per_char: of the held-out text, if it was scored after the last step; None also if infinite.
        bits_per_char: the same in bits.
        characters: how many were scored.
        split: such as 90/10/0.
        rule: how they were scored.
        is_best: whether that was the best so far.
        sample: text drawn from the network at that moment.
    """

    step: int
    network: int
    seconds: float
    learning_rate: float
    chars_per_second: float
    loss: float | None = None
    steps: int | None = None
    nats_per_char: float | None = None
    bits_per_char: float | None = None
    characters: int | None = None
    split: str | None = None
    rule: str | None = None
    is_best: bool | None = None
    sample: str | None = None


def history_path(checkpoint: Path) -> Path:
    """Where the history of the training that made a checkpoint stands; its best, last and previous state share it."""
    best = best_path(checkpoint)
    return best.with_name(best.name.removesuffix(CHECKPOINT_SUFFIX) + SUFFIX)


class History:
    """Writes a history, a line at once.

    Args:
        path: of the file. What it holds is dropped, but for what a training that goes on has behind it.
        after: the number of the network, counted from 1, and of its step, after which a resumed training goes on.

    Attributes:
        existing: the records that were not dropped.

    Raises:
        CheckpointError: the file cannot be written.
    """

    def __init__(self, path: Path, after: tuple[int, int] | None = None) -> None:
        self.path = path
        self.existing: tuple[Record, ...] = ()
        self.truncate(after or (0, 0))

    def truncate(self, after: tuple[int, int], steps: int | None = None) -> None:
        """Drop what came after a step of a network, and all from the first line on that is damaged.

        Raises:
            CheckpointError: the file cannot be read or written.
        """
        before = list(_until(self.path, after))
        self.existing = tuple(record for record, _ in before)
        try:
            with atomic_write(self.path, is_locked=True) as temporary:
                temporary.write_text("".join(line for _, line in before), encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from error

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a record, whole or not at all.

        Args:
            record: fields of Record, and whatever else is recorded, by name.

        Raises:
            CheckpointError: the file cannot be written.
        """
        # JSON has no infinite numbers; None is left out.
        values = {
            name: value for name, value in record.items()
            if value is not None and not (isinstance(value, float) and not math.isfinite(value))
        }  # fmt: skip
        line = f"{json.dumps(values, allow_nan=False)}\n".encode()
        try:
            # Opened anew each time: the folder may have been deleted and made again, and nothing waits in a buffer.
            with self.path.open("ab", buffering=0) as file:
                before = file.tell()
                if file.write(line) < len(line):
                    file.truncate(before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """End it; there is nothing left to write."""

    def _refused(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path}: cannot be written: {error.strerror}; make room, or say --out")


def read_history(path: Path) -> tuple[Record, ...]:
    """The records of a training, in their order; none if there is no such file. An unfinished last line is left out.

    Raises:
        CheckpointError: the file cannot be read, or is no history; the message names the line.
    """
    try:
        return tuple(record for record, _ in _records(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}; move it away to do without") from error


def _until(path: Path, after: tuple[int, int]) -> Iterator[tuple[Record, str]]:
    """The records up to a step of a network, each with its line."""
    if after == (0, 0):
        return
    try:
        for record, line in _records(path):
            if (record.network, record.step) <= after:
                yield record, line
    except (OSError, CheckpointError):
        return


def _records(path: Path) -> Iterator[tuple[Record, str]]:
    """Each record with its line, which may have more keys: figures that are recorded and not read here."""
    known = {spec.name for spec in dataclasses.fields(Record)}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                values = json.loads(line)
                if isinstance(values, dict):
                    values = {name: value for name, value in values.items() if name in known}
                record = from_json("record", values, Record)
            except (ValueError, RecursionError) as error:
                raise CheckpointError(f"{path}: line {number}: {error}; move it away to do without") from error
            yield record, line
