"""The two checkpoints of a training: the best state, by its validation score, and the last one.

Of several networks, the first file holds the best states of those that are finished, as one model.
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path

from charrnn.checkpoint import last_path, save
from charrnn.config import TrainingConfig
from charrnn.facts import Facts, ScoreFacts, TextFacts
from charrnn.models.ensemble import Network, as_one
from charrnn.models.mixture import MixtureModel
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import Progress, Score, evaluate, facts_of
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Step


class Keeper:
    """Writes NAME.safetensors at each best validation, and NAME-last.safetensors at every one.

    Without a validation part, both are the last state.

    Args:
        path: of the best checkpoint.
        corpus: what is trained on.
        config: how.
        started: `time.perf_counter()` when it began.
        command: the command line, to be remembered in the checkpoint.

    Attributes:
        model: the network that is trained.
        finished: the networks before it, in their best states.
        best: the score of its best state.
        best_step: after which step that was.
        score: of all that are finished, as one model.
        facts: of the best checkpoint, once there is one.
        is_mixed: whether a mixture has taken its place.
    """

    model: RecurrentModel

    def __init__(
        self,
        path: Path,
        corpus: Corpus,
        config: TrainingConfig,
        started: float,
        command: tuple[str, ...] = (),
    ) -> None:
        self.path, self.corpus, self.config = path, corpus, config
        self.started, self.command = started, command
        self.finished: list[RecurrentModel] = []
        self.score: Score | None = None
        self.facts: Facts | None = None
        self.is_mixed = False
        self.steps_of_finished = 0

    @property
    def last_path(self) -> Path:
        """The file of the last state."""
        return last_path(self.path)

    @property
    def network(self) -> Network:
        """All that are finished, as one model."""
        return as_one(self.finished)

    def begin(self, model: RecurrentModel) -> None:
        """Turn to a network that is trained from here on."""
        self.model = model
        self.best: Score | None = None
        self.best_step = 0
        self.best_state: RecurrentModel | None = None

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
        self.best, self.best_step, self.best_state = step.score, step.number, copy.deepcopy(self.model)
        if not self.finished:
            self._save(self.model, facts)
        return True

    def finish(self) -> None:
        """Put the network beside those that were finished before.

        Raises:
            CheckpointError: it cannot be written.
        """
        assert self.best_state
        assert self.facts
        self.finished.append(self.best_state)
        self.steps_of_finished += self.best_step
        self.score = self.best
        if len(self.finished) > 1:
            seconds = time.perf_counter() - self.started
            facts = replace(self.facts, fit_seconds=seconds, step=self.steps_of_finished, validation=None)
            self._save(self.network, facts)

    def judge(self, progress: Progress | None = None) -> None:
        """Score all that are finished as one model, where there are several.

        Args:
            progress: told the characters scored, and of how many.

        Raises:
            CheckpointError: it cannot be written.
        """
        if len(self.finished) < 2 or self.score is None:
            return
        assert self.facts
        self.score = evaluate(self.network, self.corpus.validation[: self.score.characters], progress=progress)
        seconds = time.perf_counter() - self.started
        self._save(self.network, replace(self.facts, fit_seconds=seconds, validation=self._score_facts(self.score)))

    def keep_mixture(self, mixture: MixtureModel, score: Score | None) -> None:
        """Put a mixture of what is finished and counts in the place of the best checkpoint.

        Raises:
            CheckpointError: it cannot be written.
        """
        assert self.facts
        seconds = time.perf_counter() - self.started
        self._save(mixture, replace(self.facts, fit_seconds=seconds, validation=self._score_facts(score)))
        self.is_mixed = True

    def _save(self, model: Network | MixtureModel, facts: Facts) -> None:
        save(self.path, model, self.corpus.vocabulary, facts)
        self.facts = facts

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
