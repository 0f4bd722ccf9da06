"""Training records for TensorBoard, an optional package that is imported only for --tensorboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import CheckpointError, UsageError
from charrnn.training.monitor.metrics import METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def check_installed() -> None:
    """Raise UsageError if TensorBoard cannot be imported."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--tensorboard: needs TensorBoard ({error}); run `pip install tensorboard`, or remove the option"
        ) from None


class Board:
    """Writer of records as TensorBoard events.

    The steps of several networks are numbered consecutively.

    Args:
        folder: the folder for event files. TensorBoard hides older events in it, except those before the point that a
            training resumes from.
        after: (network, step), counted from 1, that a resumed training continues after.
        steps: number of steps of each network, if known.

    Raises:
        CheckpointError: no file can be created in the folder.
    """

    def __init__(self, folder: Path, after: tuple[int, int] | None = None, steps: int | None = None) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None
        self.truncate(after or (1, 0), steps)

    def add(self, record: Mapping[str, Any]) -> None:
        """Write the figures of a record that have a tag."""
        at = _global_step(record["network"], record["step"], record.get("steps"))
        assert self.writer
        try:
            for metric in METRICS:
                value = record.get(metric.name)
                if metric.tag is None or value is None:
                    continue
                if isinstance(value, str):  # TensorBoard renders Markdown; four spaces make a code block
                    self.writer.add_text(metric.tag, "".join(f"    {line}\n" for line in value.split("\n")), at)
                else:
                    self.writer.add_scalar(metric.tag, value, at)
        except OSError as error:
            raise self._write_error(error) from error

    def truncate(self, after: tuple[int, int], steps: int | None = None) -> None:
        """Hide the events after (network, step)."""
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        try:
            next_step = _global_step(*after, steps) + 1
            self.writer = SummaryWriter(self.folder, purge_step=next_step)
        except OSError as error:
            raise self._write_error(error) from error

    def close(self) -> None:
        """Write all buffered events."""
        if self.writer is None:
            return
        try:
            self.writer.close()
        except OSError as error:
            raise self._write_error(error) from error
        finally:
            self.writer = None

    def _write_error(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.folder}: cannot be written: {error.strerror}; choose another --tensorboard DIR")


def _global_step(network: int, step: int, steps: int | None) -> int:
    return (network - 1) * (steps or 0) + step
