"""The two checkpoints of a training: the best state, by its validation score, and the last one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from charrnn.checkpoint import last_path, save
from charrnn.config import TrainingConfig
from charrnn.facts import Facts, ScoreFacts, TextFacts
from charrnn.models.mixture import MixtureModel
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import Score, facts_of
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Step


class Keeper:
    """Writes NAME.safetensors at each best validation, and NAME-last.safetensors at every one.

    Without a validation part, both are the last state.

    Args:
        path: of the best checkpoint.
        model: what is trained.
        corpus: what on.
        config: how.
        started: `time.perf_counter()` when it began.
        command: the command line, to be remembered in the checkpoint.
    """

    def __init__(
        self,
        path: Path,
        model: RecurrentModel,
        corpus: Corpus,
        config: TrainingConfig,
        started: float,
        command: tuple[str, ...] = (),
    ) -> None:
        self.path, self.model, self.corpus, self.config = path, model, corpus, config
        self.started, self.command = started, command
        self.best: Score | None = None
        self.best_step = 0
        self.facts: Facts | None = None
        """Of the best checkpoint, once there is one."""
        self.is_mixed = False
        """Whether a mixture has taken its place."""

    @property
    def last_path(self) -> Path:
        """The file of the last state."""
        return last_path(self.path)

    def keep(self, step: Step) -> bool:
        """Save the state after a step; says whether it is the best so far.

        Raises:
            CheckpointError: it cannot be written.
        """
        facts = self._facts(step)
        save(self.last_path, self.model, self.corpus.vocabulary, facts)
        if step.score and self.best and step.score.nats_per_char >= self.best.nats_per_char:
            return False
        if step.score is None and self.best:
            return False
        self.best, self.best_step, self.facts = step.score, step.number, facts
        save(self.path, self.model, self.corpus.vocabulary, facts)
        return True

    def keep_mixture(self, mixture: MixtureModel, score: Score | None) -> None:
        """Put a mixture of the best state and counts in the place of the best checkpoint.

        Raises:
            CheckpointError: it cannot be written.
        """
        assert self.facts
        seconds = time.perf_counter() - self.started
        self.facts = replace(self.facts, fit_seconds=seconds, validation=self._score_facts(score))
        save(self.path, mixture, self.corpus.vocabulary, self.facts)
        self.is_mixed = True

    def _score_facts(self, score: Score | None) -> ScoreFacts | None:
        return facts_of(score, self.corpus.split, len(self.corpus.validation)) if score else None

    def _facts(self, step: Step) -> Facts:
        return Facts(
            text=TextFacts.of(self.corpus),
            fit_seconds=time.perf_counter() - self.started,
            device=str(self.model.device),
            validation=self._score_facts(step.score),
            training=self.config,
            step=step.number,
            command=self.command,
        )
