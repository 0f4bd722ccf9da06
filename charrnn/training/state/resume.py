"""Resuming an interrupted training, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from charrnn.checkpoint import PREVIOUS, Checkpoint, ResumeState, last_path, load, load_resume_state
from charrnn.config import TrainingConfig
from charrnn.errors import CheckpointError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.corpus import Corpus
from charrnn.training.distributed import ProcessGroup
from charrnn.training.optim.schedule import Plan
from charrnn.training.state.checkpoint_manager import CheckpointManager


@dataclass(frozen=True)
class Resumed:
    """A saved training that is to be resumed.

    Attributes:
        checkpoint: the current network and its metadata.
        resume_state: the state that its next steps depend on.
    """

    checkpoint: Checkpoint
    resume_state: ResumeState

    @property
    def config(self) -> TrainingConfig:
        """The training configuration."""
        assert self.checkpoint.metadata.training
        return self.checkpoint.metadata.training

    @property
    def plan(self) -> Plan | None:
        """The length of the training; None if it was not yet known."""
        progress = self.resume_state.progress
        if progress.plan is None:
            return None
        steps, validate_every, val_characters = progress.plan
        return Plan(steps, validate_every, val_characters, progress.earlier)

    def check(self, corpus: Corpus) -> None:
        """Raise CheckpointError unless the training used this text."""
        text = self.checkpoint.metadata.text
        if corpus.sha256 != text.sha256:
            raise CheckpointError(
                f"{self.checkpoint.path}: was trained on {text.source}, and {corpus.source} is a different text; "
                f"to fine-tune on it, use --init-from {self.checkpoint.path}"
            )

    def restore(self, checkpoints: CheckpointManager) -> None:
        """Restore the saved state into a checkpoint manager and its current training.

        Raises:
            CheckpointError: the file does not match its header.
        """
        progress, training = self.resume_state.progress, checkpoints.training
        try:
            assert isinstance(self.checkpoint.model, RecurrentModel)
            training.model.load_state_dict(self.checkpoint.model.state_dict())
            training.restore(progress.number, progress.due, self.resume_state.tensors)
            checkpoints.restore(self.resume_state)
            checkpoints.threads.update(compute.threads if (compute := self.checkpoint.metadata.compute) else ())
        except (ValueError, RuntimeError) as error:  # PyTorch raises the latter
            raise CheckpointError(f"{self.checkpoint.path}: is damaged, or from another version: {error}") from error


def find_training(path: Path, group: ProcessGroup | None = None) -> Resumed | None:
    """Open the training whose best checkpoint is `path`: its last state, or the one before if that is damaged.

    Args:
        path: the path of the best checkpoint.
        group: the processes that train together; all get the files of rank 0.

    Returns:
        None if neither file exists.

    Raises:
        CheckpointError: neither file can be read, or they have no training state.
    """
    states = (last_path(path), last_path(path, PREVIOUS))
    return _open_first([state for state in states if state.exists()], group or ProcessGroup())


def open_training(path: Path, group: ProcessGroup | None = None) -> Resumed:
    """Open the training saved in a file, for all processes.

    Raises:
        CheckpointError: the file cannot be read, or has no training state.
    """
    resumed = _open_first([path], group or ProcessGroup())
    assert resumed
    return resumed


def _open_first(paths: Sequence[Path], group: ProcessGroup) -> Resumed | None:
    """Open the first state that rank 0 can read; if there is none, raise the error of the first path."""
    resumed, errors = None, []
    for path in paths if group.is_rank_zero else ():
        try:
            resumed = _open(path)
            break
        except CheckpointError as error:
            errors.append(error)
    if errors and not resumed:
        raise errors[0]
    with group.broadcast_file(resumed.checkpoint.path if resumed else None) as file:
        return resumed or (_open(file) if file else None)


def _open(path: Path) -> Resumed:
    resumed = Resumed(load(path), load_resume_state(path))
    if not isinstance(resumed.checkpoint.model, RecurrentModel) or resumed.checkpoint.metadata.training is None:
        raise CheckpointError(f"{path}: has no training state; use a file that ends with -last.safetensors")
    model, ensemble = resumed.checkpoint.model.config, resumed.resume_state.progress.model
    if replace(ensemble, networks=1) != model:
        raise CheckpointError(
            f"{path}: is damaged, or from another version: header.progress.model: expected {model}, found {ensemble}"
        )
    return resumed
