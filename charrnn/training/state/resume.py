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
    """A training that was stopped, as it was saved.

    Attributes:
        checkpoint: the network that was trained, and its metadata.
        resume_state: what its next steps depend on.
    """

    checkpoint: Checkpoint
    resume_state: ResumeState

    @property
    def config(self) -> TrainingConfig:
        """How it was trained."""
        assert self.checkpoint.metadata.training
        return self.checkpoint.metadata.training

    @property
    def plan(self) -> Plan | None:
        """How long it was to be; None if that was not yet known."""
        facts = self.resume_state.progress
        return Plan(facts.plan[0], facts.plan[1], facts.plan[2], facts.earlier) if facts.plan else None

    def check(self, corpus: Corpus) -> None:
        """Raise CheckpointError unless this is the text that it was trained on."""
        text = self.checkpoint.metadata.text
        if corpus.sha256 != text.sha256:
            raise CheckpointError(
                f"{self.checkpoint.path}: was trained on {text.source}, and {corpus.source} is another text; "
                f"say --init-from {self.checkpoint.path} to begin anew with its weights"
            )

    def restore(self, checkpoints: CheckpointManager) -> None:
        """Give the checkpoints, and the training that they have begun, all that was saved.

        Raises:
            CheckpointError: the file does not hold what its header says.
        """
        facts, training = self.resume_state.progress, checkpoints.training
        try:
            assert isinstance(self.checkpoint.model, RecurrentModel)
            training.model.load_state_dict(self.checkpoint.model.state_dict())
            training.restore(facts.number, facts.due, self.resume_state.tensors)
            checkpoints.restore(self.resume_state)
            checkpoints.threads.update(compute.threads if (compute := self.checkpoint.metadata.compute) else ())
        except (ValueError, RuntimeError) as error:  # PyTorch raises the latter
            raise CheckpointError(f"{self.checkpoint.path}: is damaged, or from another version: {error}") from error


def find_training(path: Path, group: ProcessGroup | None = None) -> Resumed | None:
    """The training whose best checkpoint goes to `path`: its last state, or where that is damaged the one before.

    Args:
        path: of the best checkpoint.
        group: the processes that train together: all get what the first one finds.

    Returns:
        None if there is neither.

    Raises:
        CheckpointError: none of them can be read, or they are no trainings.
    """
    states = (last_path(path), last_path(path, PREVIOUS))
    return _open_first([state for state in states if state.exists()], group or ProcessGroup())


def open_training(path: Path, group: ProcessGroup | None = None) -> Resumed:
    """The training that a file was saved from, for all processes.

    Raises:
        CheckpointError: it cannot be read, or holds a model alone.
    """
    resumed = _open_first([path], group or ProcessGroup())
    assert resumed
    return resumed


def _open_first(paths: Sequence[Path], group: ProcessGroup) -> Resumed | None:
    """The first state that the first process can read; raises what is wrong with the first path if there is none."""
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
        raise CheckpointError(f"{path}: holds no training; name a file that ends with -last.safetensors")
    model, of_all = resumed.checkpoint.model.config, resumed.resume_state.progress.model
    if replace(of_all, networks=1) != model:
        raise CheckpointError(
            f"{path}: is damaged, or from another version: header.progress.model: expected {model}, found {of_all}"
        )
    return resumed
