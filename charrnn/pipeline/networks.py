"""Fits networks to a text, from options to checkpoints: for the library and the command line alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.progress import Progress
from charrnn.scoring.evaluate import Score, evaluate
from charrnn.text.corpus import Corpus
from charrnn.text.documents import streams_of
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.budget.auto_config import Recipe, Workload, configure_for_budget, machine_reasons
from charrnn.training.ensemble import BeginFrom, SaveEvery, train_ensemble
from charrnn.training.mixture import MixtureTrainer, hold_out_blocks, score_mean
from charrnn.training.monitor.monitor import Monitor, Sink
from charrnn.training.run import Run, RunContext
from charrnn.training.state.checkpoints import CheckpointManager
from charrnn.training.state.init_from import InitialWeights
from charrnn.training.state.resume import Resumed
from charrnn.training.step import StepResult, StopFlag

TIP_CHARACTERS = 20_000
"""Held-out characters that show what n-grams would add to a network."""
MAX_TIP_CHARACTERS = 20_000_000
"""Characters of a training part whose n-grams are counted only to show what they would add."""
TIP_NGRAM = NgramConfig(smoothing="mkn")
TIP_NETWORK_WEIGHT = 0.6
"""The network's weight in the mean that shows it; it was not fitted."""


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
        if self.resumed:
            return self.resumed.checkpoint.vocabulary
        return self.begin_from.vocabulary if isinstance(self.begin_from, InitialWeights) else None


def count_for_mixture(corpus: Corpus, progress: Progress | None = None) -> MixtureTrainer:
    """Count the n-grams that networks are going to be mixed with."""
    config = NgramConfig().with_order(corpus.config.bytes)
    return MixtureTrainer(corpus.train, len(corpus.vocabulary), config, progress)


class NetworkTraining:
    """Networks that are fitted to a text.

    Args:
        path: of the best checkpoint.
        corpus: the text, read as `start` says.
        start: what is trained.
        context: where.
        mixture: the n-grams that are mixed with the networks; None in all processes but the first.

    Attributes:
        recipe: what was chosen for the minutes, and why.
        run: the training.
        checkpoints: what it leaves on the disk.
    """

    def __init__(
        self,
        path: Path,
        corpus: Corpus,
        start: TrainingStart,
        context: RunContext | None = None,
        mixture: MixtureTrainer | None = None,
    ) -> None:
        context = context or RunContext()
        self.start, self.mixture = start, mixture
        ids = corpus.train
        if start.with_ngram:
            ids = (mixture.held_out if mixture else hold_out_blocks(ids, len(corpus.vocabulary))).rest
        reserved = mixture.reserved if mixture else 0.0
        model, training, device = start.model, start.training, context.device
        self.recipe = Recipe(model, training, machine_reasons(training, device))
        if not start.resumed:
            rows, length, is_fixed = training.batch_size, training.seq_length, device.type == "cuda"
            padding = streams_of(ids, corpus.documents, rows, length, is_fixed).padding
            spent = time.perf_counter() - context.started + reserved
            workload = Workload(len(ids), len(corpus.vocabulary), padding, spent, start.with_ngram)
            self.recipe = configure_for_budget(model, training, start.explicit, workload, device, context.group)
        self.run = Run(corpus, self.recipe.model, self.recipe.training, context, ids, reserved, start.with_ngram)
        self.checkpoints = CheckpointManager(path, self.run)

    def steps(
        self,
        save_every: SaveEvery | None = None,
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

    def mix(self, progress: Progress | None = None) -> MixtureModel:
        """Mix the best state of the networks with the n-grams, which take in all of the training part."""
        assert self.mixture
        return self.mixture.finish(self.checkpoints.network, self.run.training.seed, progress)

    def save_mixture(
        self, mixture: MixtureModel, progress: Progress | None = None
    ) -> tuple[Score | None, Score | None]:
        """Score a mixture and put it in the place of the best checkpoint.

        Returns:
            The scores of its n-grams and of the mixture; None where nothing was held out.

        Raises:
            CheckpointError: it cannot be written.
        """
        of_counts = score = None
        corpus, network_score = self.run.corpus, self.checkpoints.score
        if len(corpus.validation):
            part = corpus.validation[: network_score.characters if network_score else None]
            of_counts = evaluate(mixture.ngram, part, documents=corpus.documents)
            score = evaluate(mixture, part, progress=progress, documents=corpus.documents)
        self.checkpoints.save_mixture(mixture, score)
        return of_counts, score


def score_ngram_tip(network: LanguageModel, corpus: Corpus) -> tuple[Score, Score, Score] | None:
    """What a network, n-grams and their mean score on some held-out characters; None where finding out takes long."""
    part = corpus.validation[:TIP_CHARACTERS]
    # A weighted mean of documents is not worth the code: `--with-ngram` tells.
    if len(corpus.train) > MAX_TIP_CHARACTERS or len(part) < 2 or corpus.documents:
        return None
    counts = fit_ngram(corpus.train, len(corpus.vocabulary), TIP_NGRAM)
    mixed = score_mean(((network, TIP_NETWORK_WEIGHT), (counts, 1 - TIP_NETWORK_WEIGHT)), part)
    return evaluate(network, part), evaluate(counts, part), mixed


def initialize_from(start: TrainingStart, weights: InitialWeights, is_bytes: bool) -> TrainingStart:
    """Begin with the weights of another network, which decide the shape and whether bytes are read."""
    return replace(
        start,
        corpus=replace(start.corpus, bytes=is_bytes),
        model=replace(start.model, **weights.shape),
        explicit=start.explicit | frozenset(weights.shape),
        begin_from=weights,
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
