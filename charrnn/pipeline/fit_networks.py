"""Train networks on a text, from options to checkpoints, for `charrnn train` and the Python API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from charrnn.checkpoint import Checkpoint
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.folded import fold
from charrnn.progress import Progress, ProgressBars, no_bar
from charrnn.scoring.evaluate import Score, evaluate
from charrnn.text.corpus import Corpus
from charrnn.text.documents import TextSpan
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.budget.auto_config import Workload, configure_for_budget
from charrnn.training.ensemble import BeginFrom, SaveEvery, train_ensemble
from charrnn.training.fit_mixture import MixtureTrainer, hold_out_blocks
from charrnn.training.monitor.monitor import Monitor, Sink
from charrnn.training.optim.precision import fallback
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.init_from import SHAPE_FIELDS, initial_network
from charrnn.training.state.resume import Resumed
from charrnn.training.step import StepResult, StopFlag

TIP_CHARACTERS = 20_000
"""Number of held-out characters scored for the tip on n-grams."""
MAX_TIP_CHARACTERS = 20_000_000
"""Maximum length of a training part whose n-grams are counted only for the tip."""
TIP_WEIGHTS = (0.6, 0.4)
"""Weights of the network and of the n-grams in the tip's interpolation; they are not fitted."""


@dataclass(frozen=True)
class TrainingStart:
    """Configuration and initial state of a training.

    Attributes:
        corpus: how the text is read and split.
        model: the network or networks.
        training: the training configuration.
        explicit: names of the fields that must not change; the others are chosen for the time budget.
        with_ngram: whether to mix the networks with n-grams of the same text.
        begin_from: a training to resume, or a checkpoint with initial weights.
    """

    corpus: CorpusConfig
    model: ModelConfig
    training: TrainingConfig
    explicit: frozenset[str] = frozenset()
    with_ngram: bool = False
    begin_from: BeginFrom = None

    @property
    def resumed(self) -> Resumed | None:
        """The training to resume."""
        return self.begin_from if isinstance(self.begin_from, Resumed) else None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary of `begin_from`, if there is one."""
        checkpoint = self.begin_from.checkpoint if isinstance(self.begin_from, Resumed) else self.begin_from
        return checkpoint.vocabulary if checkpoint else None


class NetworkTraining:
    """The training of one or several networks on a text.

    Example:
        ```python
        training = NetworkTraining(Path("novel.safetensors"), corpus, start)
        for step in training.steps():
            print(step.number, step.loss.item())
        ```

    Args:
        path: the path of the best checkpoint.
        corpus: the text, read according to `start.corpus`.
        start: configuration and initial state.
        context: device and processes (default: the CPU, this process alone).
        bars: makes progress bars for counting and scoring n-grams.

    Attributes:
        mixture: the n-grams to mix with the networks; None without `start.with_ngram`, and on ranks above 0.
        reasons: (label, one-line explanation) for each option that was chosen.
        run: the text and the complete configuration.
        checkpoints: the checkpoint manager.
    """

    mixture: MixtureTrainer | None = None

    def __init__(
        self,
        path: Path,
        corpus: Corpus,
        start: TrainingStart,
        context: RunContext | None = None,
        bars: ProgressBars = no_bar,
    ) -> None:
        context = context or RunContext()
        self.start, self.bars = start, bars
        text, vocab_size, reserved = corpus.train, len(corpus.vocabulary), 0.0
        if start.with_ngram and context.group.is_rank_zero:
            config = NgramConfig().with_order(corpus.config.bytes)
            with bars("counting", "step") as update:
                self.mixture = MixtureTrainer(text.ids, vocab_size, config, fold(corpus.vocabulary.symbols), update)
            text, reserved = (
                TextSpan(self.mixture.held_out.rest, text.documents),
                self.mixture.reserved(len(corpus.validation)),
            )
        elif start.with_ngram:
            text = TextSpan(hold_out_blocks(text.ids, vocab_size).rest, text.documents)
        run = Run(corpus, start.model, start.training, context, text, reserved, start.with_ngram)
        self.reasons: tuple[tuple[str, str], ...] = ()
        if not start.resumed:
            spent = time.perf_counter() - context.started + reserved
            workload = Workload(len(text), vocab_size, run.streams.padding, spent, start.with_ngram)
            chosen = configure_for_budget(
                run.model, run.training, start.explicit, workload, context.device, context.group
            )
            run, self.reasons = replace(run, model=chosen.model, training=chosen.training), chosen.reasons
            if not start.begin_from:
                run = run.with_found_ngrams()
        if precision := fallback(start.training, context.device):
            self.reasons = (("precision", precision), *self.reasons)
        self.run, self.checkpoints = run, CheckpointManager(path, run)

    def steps(
        self,
        save_every: SaveEvery = timedelta(minutes=5),
        stop: StopFlag | None = None,
        val_progress: Progress | None = None,
        sinks: Sequence[Sink] = (),
        wants_sample: Callable[[], bool] = lambda: False,
    ) -> Iterator[StepResult]:
        """Train the networks, yield each step, and send reports to `sinks`.

        Args:
            save_every: interval between saves, in addition to those after validations.
            stop: flag that ends the training early; the state is saved.
            val_progress: progress callback of a validation, in characters.
            sinks: functions that take reports, see `Monitor`.
            wants_sample: returns whether the next report needs a sample.

        Raises:
            DivergedError: the loss diverged again after the learning rate was halved three times.
            CheckpointError: a checkpoint cannot be written, or the state to resume is damaged.
        """
        monitor = Monitor(self.checkpoints, sinks, wants_sample)
        is_watched = bool(sinks) and self.run.context.group.is_rank_zero
        for step, is_best in train_ensemble(self.checkpoints, self.start.begin_from, save_every, stop, val_progress):
            if is_watched:
                monitor.update(step, is_best)
            yield step

    def finish_mixture(self) -> tuple[Score | None, Score | None]:
        """Mix the best state of the networks with the n-grams, and save the mixture as the best checkpoint.

        Returns:
            The scores of the n-grams, counted on the whole training part, and of the mixture; None without a
            validation part.

        Raises:
            CheckpointError: the checkpoint cannot be written.
        """
        assert self.mixture
        mixture = self.mixture.finish(self.checkpoints.network, self.run.training.seed)
        ngram_score = score = None
        corpus, network_score = self.run.corpus, self.checkpoints.score
        if len(corpus.validation):
            part = corpus.validation[: network_score.characters if network_score else None]
            with self.bars("scoring", "char") as update:
                ngram_score = evaluate(mixture.ngrams[0], part)
                score = evaluate(mixture, part, progress=update)
        self.checkpoints.save_mixture(mixture, score)
        return ngram_score, score


def score_ngram_tip(network: LanguageModel, corpus: Corpus) -> tuple[Score, Score, Score] | None:
    """Score a network, n-grams and their interpolation on the first held-out characters.

    Returns:
        The three scores; None if the training part is too long for a quick answer, if the validation part has fewer
        than two characters, or for documents.
    """
    part = corpus.validation.ids[:TIP_CHARACTERS]
    if len(corpus.train) > MAX_TIP_CHARACTERS or len(part) < 2 or corpus.documents:
        return None
    ngram = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig(smoothing="mkn"))
    mixed = InterpolatedModel((network, ngram), TIP_WEIGHTS)
    return evaluate(network, part), evaluate(ngram, part), evaluate(mixed, part)


def initialize_from(start: TrainingStart, checkpoint: Checkpoint) -> TrainingStart:
    """Return a start with the weights of another network, which determine its shape and whether bytes are read.

    Raises:
        CheckpointError: the checkpoint has no network.
    """
    network = initial_network(checkpoint)
    return replace(
        start,
        corpus=replace(start.corpus, bytes=checkpoint.vocabulary.is_bytes),
        model=replace(start.model, **{name: getattr(network.config, name) for name in SHAPE_FIELDS}),
        explicit=start.explicit | SHAPE_FIELDS,
        begin_from=replace(checkpoint, model=network),
    )


def resume(start: TrainingStart, resumed: Resumed) -> TrainingStart:
    """Return a start that resumes a training with its original options."""
    progress = resumed.resume_state.progress
    return replace(
        start,
        corpus=resumed.checkpoint.metadata.text.corpus,
        model=progress.model,
        training=resumed.config,
        with_ngram=progress.with_ngram,
        begin_from=resumed,
    )
