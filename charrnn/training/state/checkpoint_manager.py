"""Checkpoint files of a training: the best state, the last one, and the one before that.

NAME.safetensors is the state with the best validation score; for several networks, the ensemble of the finished ones.
NAME-last.safetensors is everything that resuming needs, finished networks and the best state included. It is a single
file, so that its parts always belong together.
"""

from __future__ import annotations

import copy
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from torch import Tensor

from charrnn.checkpoint import PREVIOUS, ResumeState, last_path, load_weights, save, with_prefix
from charrnn.checkpoint.metadata import ComputeInfo, DatasetInfo, EvalResult, Metadata, TrainingProgress
from charrnn.errors import CheckpointError
from charrnn.models.hardware.processor import instruction_set
from charrnn.models.interpolated import Network, ensemble_of
from charrnn.models.mixture import MixtureModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.evaluate import Score, eval_result, evaluate
from charrnn.training.loop import Training
from charrnn.training.run_context import Run
from charrnn.training.step import StepResult


class CheckpointManager:
    """Writer of NAME.safetensors after each best validation, and of NAME-last.safetensors at each save.

    Without a validation part, both are the last state.

    Args:
        path: the path of the best checkpoint.
        run: the run.

    Attributes:
        started: `time.perf_counter()` at the start of the training, minus the time used before it was resumed.
        training: the training of the current network.
        finished: the finished networks, each in its best state.
        best: the best validation score of the current network.
        best_step: number of steps at the best score.
        score: validation score of the finished networks as one model.
        metadata: metadata of the best checkpoint, once it is written.
        is_mixed: whether the best checkpoint is a mixture.
        best_is_saved: whether the best checkpoint on disk is up to date.
        halvings: number of times the learning rate was halved because the loss diverged.
        threads: numbers of threads used before the current network, or before it was resumed.
        saved_at: `time.perf_counter()` at the last save.
        saved_step: number of steps at the last save.
    """

    training: Training

    def __init__(self, path: Path, run: Run) -> None:
        self.path, self.run, self.started = path, run, run.context.started
        self.finished: list[RecurrentModel] = []
        self.score: Score | None = None
        self.metadata: Metadata | None = None
        self.is_mixed, self.best_is_saved = False, False
        self.steps_of_finished = self.halvings = 0
        self.threads: set[int] = set()

    @property
    def last_path(self) -> Path:
        """The path of the last checkpoint."""
        return last_path(self.path)

    @property
    def network(self) -> Network:
        """The finished networks as one model."""
        return ensemble_of(self.finished)

    def begin(self, training: Training) -> None:
        """Start with the training of the next network."""
        self.training = training
        self.best: Score | None = None
        self.best_step = 0
        self.best_state: RecurrentModel | None = None
        self.saved_at, self.saved_step = time.perf_counter(), training.step

    def is_save_due(self, every: int | timedelta | None, step: int) -> bool:
        """Return whether to save after a step, for an interval of `every` steps or of time."""
        if isinstance(every, int):
            return step - self.saved_step >= every
        return every is not None and time.perf_counter() - self.saved_at >= every.total_seconds()

    def save(self, step: StepResult) -> bool:
        """Save the state after a step, and return whether it is the best so far.

        All processes must call this method; rank 0 writes. If writing fails there is a warning, and the next save tries
        again; the final state is saved to a temporary folder instead.

        Raises:
            CheckpointError: the final state cannot be written to its path; the message names the temporary folder.
        """
        is_best = self.best is None or (step.score is not None and step.score.nats_per_char < self.best.nats_per_char)
        if is_best:
            self.best, self.best_step = step.score, step.number
            # With finished networks, the best checkpoint is their ensemble, without the current network.
            self.best_is_saved = self.best_is_saved and bool(self.finished)
            self.best_state = _copied(self.training.model)
        metadata, resume_state = self._metadata(step.number, step.score), self._resume_state()
        self.saved_at, self.saved_step = time.perf_counter(), step.number
        is_end = self.training.stopped or (step.last and len(self.finished) + 1 == self.run.model.networks)
        try:
            self._write(self.last_path, self.training.model, metadata, resume_state)
            self._save_best()
        except CheckpointError as error:
            if is_end:
                self._rescue(str(error), metadata, resume_state)
            self.run.context.warn(f"{error} (training continues; will retry at the next save)")
        return is_best

    def finish(self) -> None:
        """Add the current network, in its best state, to the finished ones."""
        assert self.best_state
        self.threads |= self.training.tuner.used
        self.finished.append(self.best_state)
        self.steps_of_finished += self.best_step
        self.score = self.best
        if len(self.finished) > 1:
            self.best_is_saved = False
            try:
                self._save_best()
            except CheckpointError as error:
                self.run.context.warn(f"{error} (will retry at the next save)")

    def score_ensemble(self, progress: Progress | None = None) -> None:
        """Score the finished networks as one model, if there are several, and save it.

        Raises:
            CheckpointError: the checkpoint cannot be written.
        """
        if len(self.finished) < 2 or self.score is None:
            return
        group, score = self.training.group, None
        if group.is_rank_zero:
            part = self.run.corpus.validation[: self.score.characters]
            score = evaluate(self.network, part, progress=progress)
        self.score = group.broadcast_score(score)
        self._write(self.path, self.network, self._metadata(self.steps_of_finished, self.score))

    def save_mixture(self, mixture: MixtureModel, score: Score | None) -> None:
        """Replace the best checkpoint by the mixture of the finished networks and n-grams.

        Raises:
            CheckpointError: the checkpoint cannot be written.
        """
        self._write(self.path, mixture, self._metadata(self.steps_of_finished, score))
        self.is_mixed = True

    def restore(self, resume_state: ResumeState) -> None:
        """Restore the finished networks, and the best state of the current one.

        The training must already have the weights of `resume_state`.

        Raises:
            ValueError: a tensor is missing, or has the wrong shape; the message names the tensor.
            CheckpointError: the best checkpoint cannot be written.
        """
        saved, tensors = resume_state.progress, resume_state.tensors
        self.finished = [self._like(f"finished.{i}.", tensors) for i in range(saved.finished)]
        self.steps_of_finished, self.halvings = saved.steps_of_finished, max(self.halvings, saved.halvings)
        self.started = time.perf_counter() - saved.seconds
        self.best_step = saved.best_step
        if saved.best_nats is not None:
            self.best = Score(saved.best_nats, saved.best_characters, saved.best_impossible)
        if saved.best_step == saved.number:
            self.best_state = _copied(self.training.model)
        elif saved.best_step:
            self.best_state = self._like("best.", tensors)
        self.best_is_saved = False  # the file on disk may belong to another state
        self._save_best()

    def _like(self, prefix: str, tensors: dict[str, Tensor]) -> RecurrentModel:
        """Return a network like the current one, with the weights whose names have a prefix."""
        network = copy.deepcopy(self.training.model)
        load_weights(network, with_prefix(prefix, tensors), f"training.{prefix}")
        return network.to(self.training.model.device).eval()

    def _resume_state(self) -> ResumeState:
        """Return everything that resuming needs besides the weights."""
        training, best = self.training, self.best
        tensors = training.tensors()
        for i, network in enumerate(self.finished):
            tensors |= {f"finished.{i}.{name}": tensor for name, tensor in network.state_dict().items()}
        if self.best_state and self.best_step != training.step:
            tensors |= {f"best.{name}": tensor for name, tensor in self.best_state.state_dict().items()}
        plan = training.plan
        progress = TrainingProgress(
            model=self.run.model,
            with_ngram=self.run.with_ngram,
            finished=len(self.finished),
            steps_of_finished=self.steps_of_finished,
            number=training.step,
            due=training.validation_pending,
            plan=(plan.steps, plan.validate_every, plan.val_characters) if plan else None,
            earlier_plans=plan.earlier if plan else (),
            best_step=self.best_step,
            best_nats=best.nats if best else None,
            best_characters=best.characters if best else 0,
            best_impossible=best.impossible if best else 0,
            seconds=time.perf_counter() - self.started,
            halvings=self.halvings,
        )
        return ResumeState(progress, tensors)

    def _save_best(self) -> None:
        """Write the best checkpoint, unless the file is up to date."""
        if self.best_is_saved and self.path.exists():
            return
        if self.finished:
            self._write(self.path, self.network, self._metadata(self.steps_of_finished, None))
        elif self.best_state:
            self._write(self.path, self.best_state, self._metadata(self.best_step, self.best))
        self.best_is_saved = True

    def _write(
        self, path: Path, model: Network | MixtureModel, metadata: Metadata, resume_state: ResumeState | None = None
    ) -> None:
        if self.training.group.is_rank_zero:
            previous = last_path(self.path, PREVIOUS) if resume_state else None
            save(path, model, self.run.corpus.vocabulary, metadata, resume_state, previous)
        if path == self.path:
            self.metadata = metadata

    def _rescue(self, reason: str, metadata: Metadata, resume_state: ResumeState) -> NoReturn:
        """Save the final state to a temporary folder, and raise an error that names it."""
        try:
            other = Path(tempfile.mkdtemp(prefix="charrnn-")) / self.last_path.name
            save(other, self.training.model, self.run.corpus.vocabulary, metadata, resume_state)
        except (OSError, CheckpointError):
            raise CheckpointError(reason) from None
        raise CheckpointError(f"{reason}; the last state is in {other}: move it to {self.last_path} and use --resume")

    def _metadata(self, steps: int, score: Score | None) -> Metadata:
        return Metadata(
            text=DatasetInfo.of(self.run.corpus),
            fit_seconds=time.perf_counter() - self.started,
            device=str(self.training.model.device),
            validation=self.eval_result_of(score) if score else None,
            training=self.run.training,
            step=steps,
            command=self.run.context.command,
            compute=ComputeInfo(
                instruction_set(),
                tuple(sorted(self.threads | self.training.tuner.used)),
                str(self.training.dtype).removeprefix("torch."),
            ),
        )

    def eval_result_of(self, score: Score) -> EvalResult:
        """Return a score of the validation part with its split and rule, as stored in checkpoints."""
        corpus = self.run.corpus
        return eval_result(score, corpus.split, len(corpus.validation), documents=corpus.documents is not None)


def _copied(model: RecurrentModel) -> RecurrentModel:
    """Copy a model; `to` puts the weights into one block of memory for cuDNN, which warns after a plain deepcopy."""
    return copy.deepcopy(model).to(model.device)
