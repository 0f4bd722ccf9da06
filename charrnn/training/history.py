"""What happened in a training, as lines of JSON beside its checkpoint: NAME.jsonl.

Each line is one record, so that a training that is killed leaves all but its last. One that goes on from a saved state
first drops what came after that.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CheckpointError
from charrnn.facts import restore

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
    """Where the history of the training that made a checkpoint stands."""
    return checkpoint.with_suffix(SUFFIX)


class History:
    """Writes a history, a line at once.

    Args:
        path: of the file. What it holds is dropped, but for what a training that goes on has behind it.
        after: the number of the network, counted from 1, and of its step, after which a resumed training goes on.

    Raises:
        CheckpointError: the file cannot be written.
    """

    def __init__(self, path: Path, after: tuple[int, int] | None = None) -> None:
        self.path = path
        kept = [one for one in read_history(path) if (one.network, one.step) <= after] if after else []
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text("".join(map(_line, kept)), encoding="utf-8")
            part.replace(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise CheckpointError(f"{path}: cannot be written: {error.strerror}; make room, or say --out") from error

    def add(self, record: Record) -> None:
        """Write a record.

        Raises:
            CheckpointError: the file cannot be written.
        """
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be written: {error.strerror}; make room") from error

    def close(self) -> None:
        """End the file; what was written stays."""
        with suppress(OSError):
            self._file.close()


def read_history(path: Path) -> tuple[Record, ...]:
    """The records of a training, in their order; none if there is no such file. An unfinished last line is left out.

    Raises:
        CheckpointError: the file cannot be read, or is no history; the message names the line.
    """
    try:
        return tuple(_records(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}; move it away to do without") from error


def _records(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                found = restore("record", json.loads(line), Record)
            except (ValueError, RecursionError) as error:
                raise CheckpointError(f"{path}: line {number}: {error}; move it away to do without") from error
            yield found


def _line(record: Record) -> str:
    filled = {name: one for name, one in dataclasses.asdict(record).items() if _is_said(one)}
    return f"{json.dumps(filled, allow_nan=False)}\n"


def _is_said(value: object) -> bool:
    """Whether JSON can say it; it has no infinite numbers."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))
