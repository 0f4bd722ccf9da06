"""Records of a training for TensorBoard, a package of its own that is loaded only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.errors import CheckpointError, UsageError
from charrnn.training.monitor.history import Record

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SCALARS = {
    "loss": "loss/training, nats per character",
    "nats_per_char": "loss/validation, nats per character",
    "bits_per_char": "validation, bits per character",
    "learning_rate": "learning rate",
    "chars_per_second": "characters per second",
}
"""The fields of a record that are drawn, and under which names."""


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
        self.go_back(after or (1, 0), steps)

    def add(self, record: Record) -> None:
        """See Sink."""
        at = _counted_through(record.network, record.step, record.steps)
        assert self.writer
        try:
            for name, tag in SCALARS.items():
                value = getattr(record, name)
                if value is not None:
                    self.writer.add_scalar(tag, value, at)
            if record.sample is not None:
                # It is read as Markdown, in which four blanks make a quotation.
                quotation = "".join(f"    {line}\n" for line in record.sample.split("\n"))
                self.writer.add_text("sample", quotation, at)
        except OSError as error:
            raise self._refused(error) from error

    def go_back(self, after: tuple[int, int], steps: int | None = None) -> None:
        """See Sink."""
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        try:
            next_step = _counted_through(*after, steps) + 1
            self.writer = SummaryWriter(self.folder, purge_step=next_step)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """See Sink."""
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
