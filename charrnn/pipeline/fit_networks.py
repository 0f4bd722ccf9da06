"""Fits networks to a text, from options to checkpoints: for the library and the command line alike."""

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
"""Held-out characters that show what n-grams would add to a network."""
MAX_TIP_CHARACTERS = 20_000_000
"""Characters of a training part whose n-grams are counted only to show what they would add."""
TIP_WEIGHTS = (0.6, 0.4)
"""The weights of the network and of the n-grams in the mean that shows it; they were not fitted."""


@dataclass(frozen=True)
class TrainingStart:
    """What is trained, and from where.

    Attributes:
        corpus: how the text is read.
        model: the network, or networks.
        training: how they are fitted.
        explicit: the fields that stay as they are; the others are chosen for the minutes.
        with_ngram: whether the networks are mixed with n-grams of the same text.
        begin_from: a training to resume, or another checkpoint's weights.
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
        """The characters that are known before the text is read."""
        checkpoint = self.begin_from.checkpoint if isinstance(self.begin_from, Resumed) else self.begin_from
        return checkpoint.vocabulary if checkpoint else None


class NetworkTraining:
    """Networks that are fitted to a text.

    Args:
        path: of the best checkpoint.
        corpus: the text, read as `start` says.
        start: what is trained.
        context: where.
        bars: makes the progress bars of counting and scoring n-grams.

    Attributes:
        mixture: the n-grams that are going to be mixed with the networks; None in all processes but the first.
        reasons: for each option that was chosen its name, and what was chosen and why, in one line.
        run: the training.
        checkpoints: what it leaves on the disk.
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
                self.mixture = MixtureTrainer(text.ids, vocab_size, config, update)
            text, reserved = TextSpan(self.mixture.held_out.rest, text.documents), self.mixture.reserved
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
        """Fit the networks, and report it to `sinks`; see `train_ensemble` and `Monitor`."""
        monitor = Monitor(self.checkpoints, sinks, wants_sample)
        is_watched = bool(sinks) and self.run.context.group.is_rank_zero
        for step, is_best in train_ensemble(self.checkpoints, self.start.begin_from, save_every, stop, val_progress):
            if is_watched:
                monitor.update(step, is_best)
            yield step

    def finish_mixture(self) -> tuple[Score | None, Score | None]:
        """Mix the best state of the networks with the n-grams, and save it in the place of the best checkpoint.

        Returns:
            The scores of the n-grams, which take in all of the training part, and of the mixture; None where nothing
            was held out.

        Raises:
            CheckpointError: it cannot be written.
        """
        assert self.mixture
        with self.bars("counting", "step") as update:
            mixture = self.mixture.finish(self.checkpoints.network, self.run.training.seed, update)
        ngram_score = score = None
        corpus, network_score = self.run.corpus, self.checkpoints.score
        if len(corpus.validation):
            part = corpus.validation[: network_score.characters if network_score else None]
            with self.bars("scoring", "char") as update:
                ngram_score = evaluate(mixture.ngram, part)
                score = evaluate(mixture, part, progress=update)
        self.checkpoints.save_mixture(mixture, score)
        return ngram_score, score


def score_ngram_tip(network: LanguageModel, corpus: Corpus) -> tuple[Score, Score, Score] | None:
    """What a network, n-grams and their mean score on some held-out characters; None where finding out takes long."""
    part = corpus.validation.ids[:TIP_CHARACTERS]
    if len(corpus.train) > MAX_TIP_CHARACTERS or len(part) < 2 or corpus.documents:
        return None
    counts = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig(smoothing="mkn"))
    mean = InterpolatedModel((network, counts), TIP_WEIGHTS)
    return evaluate(network, part), evaluate(counts, part), evaluate(mean, part)


def initialize_from(start: TrainingStart, checkpoint: Checkpoint) -> TrainingStart:
    """Begin with the weights of another network, which decide the shape and whether bytes are read.

    Raises:
        CheckpointError: the checkpoint holds no network.
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
    """Continue a training with the options that it was begun with."""
    facts = resumed.resume_state.progress
    return replace(
        start,
        corpus=resumed.checkpoint.metadata.text.corpus,
        model=facts.model,
        training=resumed.config,
        with_ngram=facts.with_ngram,
        begin_from=resumed,
    )
