"""Training history: a JSON Lines file next to the checkpoint, NAME.jsonl.

Each line is a record, so a killed training loses at most the last one. A resumed training first drops the records
after the state that it continues from.
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
    """The figures of the training steps since the record before.

    Attributes:
        step: number of the last step, counted from 1 in each network.
        network: number of the network in the ensemble, counted from 1.
        seconds: training time so far, without pauses.
        learning_rate: learning rate of the last step.
        chars_per_second: training speed.
        loss: mean training loss over these steps, in nats per character; None if it was not finite.
        steps: total number of steps in the plan; None while `--minutes` is still measuring.
        nats_per_char: validation loss, if there was a validation after the last step; None also if infinite.
        bits_per_char: the validation loss in bits per character.
        characters: number of characters scored.
        split: the split of the text, such as 90/10/0.
        rule: how the characters were scored.
        is_best: whether the validation loss was the best so far.
        sample: text sampled from the network after the last step.
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
    """Return the path of a checkpoint's training history, shared by the best, last and previous checkpoints."""
    best = best_path(checkpoint)
    return best.with_name(best.name.removesuffix(CHECKPOINT_SUFFIX) + SUFFIX)


class History:
    """Writer of a training history, one line at a time.

    Args:
        path: the file; existing records are dropped, except those before the point that a training resumes from.
        after: (network, step), counted from 1, that a resumed training continues after.

    Attributes:
        existing: the records that were kept.

    Raises:
        CheckpointError: the file cannot be written.
    """

    def __init__(self, path: Path, after: tuple[int, int] | None = None) -> None:
        self.path = path
        self.existing: tuple[Record, ...] = ()
        self.truncate(after or (0, 0))

    def truncate(self, after: tuple[int, int], steps: int | None = None) -> None:
        """Drop the records after (network, step), and all from the first damaged line on.

        Raises:
            CheckpointError: the file cannot be read or written.
        """
        before = list(_until(self.path, after))
        self.existing = tuple(record for record, _ in before)
        try:
            with atomic_write(self.path, is_locked=True) as temporary:
                temporary.write_text("".join(line for _, line in before), encoding="utf-8")
        except OSError as error:
            raise self._write_error(error) from error

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a whole record, or nothing.

        Args:
            record: fields of `Record`, and any others, by name.

        Raises:
            CheckpointError: the file cannot be written.
        """
        # JSON has no infinite numbers; None is omitted.
        values = {
            name: value for name, value in record.items()
            if value is not None and not (isinstance(value, float) and not math.isfinite(value))
        }  # fmt: skip
        line = f"{json.dumps(values, allow_nan=False)}\n".encode()
        try:
            # Reopened each time: the folder may have been deleted and recreated, and nothing must wait in a buffer.
            with self.path.open("ab", buffering=0) as file:
                before = file.tell()
                if file.write(line) < len(line):
                    file.truncate(before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._write_error(error) from error

    def close(self) -> None:
        """Do nothing: each record is already written."""

    def _write_error(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path}: cannot be written: {error.strerror}; free some space or change --out")


def read_history(path: Path) -> tuple[Record, ...]:
    """Return the records of a training in order; none if the file does not exist. An unfinished last line is skipped.

    Raises:
        CheckpointError: the file cannot be read, or a line is not a record.
    """
    try:
        return tuple(record for record, _ in _records(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}; move or delete the file") from error


def _until(path: Path, after: tuple[int, int]) -> Iterator[tuple[Record, str]]:
    """Yield the records up to (network, step), each with its line."""
    if after == (0, 0):
        return
    try:
        for record, line in _records(path):
            if (record.network, record.step) <= after:
                yield record, line
    except (OSError, CheckpointError):
        return


def _records(path: Path) -> Iterator[tuple[Record, str]]:
    """Yield each record with its line; a line may have keys that `Record` does not have."""
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
                raise CheckpointError(f"{path}: line {number}: {error}; move or delete the file") from error
            yield record, line
