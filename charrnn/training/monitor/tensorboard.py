"""Records of a training for TensorBoard, a package of its own that is loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import CheckpointError, UsageError
from charrnn.training.monitor.metrics import METRICS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def check_installed() -> None:
    """Raise UsageError if TensorBoard cannot be loaded."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--tensorboard: needs TensorBoard ({error}); try `pip install tensorboard`, or leave the option out"
        ) from None


class Board:
    """Writes records as TensorBoard's events.

    Steps of several networks are counted through, as they are trained one after the other.

    Args:
        folder: for the event files of this training. Events of an earlier one are not shown any more, but for what a
            training that goes on has behind it.
        after: the network and the step, counted from 1, after which a resumed training goes on.
        steps: of each network, if that is known.

    Raises:
        CheckpointError: no file can be made there.
    """

    def __init__(self, folder: Path, after: tuple[int, int] | None = None, steps: int | None = None) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None
        self.truncate(after or (1, 0), steps)

    def add(self, record: Mapping[str, Any]) -> None:
        at = _counted_through(record["network"], record["step"], record.get("steps"))
        assert self.writer
        try:
            for metric in METRICS:
                value = record.get(metric.name)
                if metric.tag is None or value is None:
                    continue
                if isinstance(value, str):  # read as Markdown, in which four blanks make a quotation
                    self.writer.add_text(metric.tag, "".join(f"    {line}\n" for line in value.split("\n")), at)
                else:
                    self.writer.add_scalar(metric.tag, value, at)
        except OSError as error:
            raise self._refused(error) from error

    def truncate(self, after: tuple[int, int], steps: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        try:
            next_step = _counted_through(*after, steps) + 1
            self.writer = SummaryWriter(self.folder, purge_step=next_step)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        if self.writer is None:
            return
        try:
            self.writer.close()
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self.writer = None

    def _refused(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.folder}: cannot be written: {error.strerror}; say another --tensorboard DIR")


def _counted_through(network: int, step: int, steps: int | None) -> int:
    return (network - 1) * (steps or 0) + step
