"""Fit n-grams to a text: count the training part, smooth the counts, score the validation part.

Used by `charrnn ngram` and the Python API. Under torchrun, rank 0 calls `fit_ngrams`, and the others `assist_counting`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from charrnn.checkpoint import Checkpoint, load
from charrnn.checkpoint.format import config_of, tensors_of
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import MixtureConfig, NgramConfig
from charrnn.errors import CheckpointError
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.counting.count import count_ngrams
from charrnn.models.ngram.counting.distributed import count_distributed
from charrnn.models.ngram.fit import NgramCounts, fit_ngram
from charrnn.models.ngram.folded import fold
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.progress import ProgressBars, no_bar
from charrnn.scoring.evaluate import Score, eval_result, evaluate, evaluate_online
from charrnn.scoring.online import as_online_model
from charrnn.text.corpus import Corpus
from charrnn.training.fit_mixture import MixtureTrainer


class NgramFit(NamedTuple):
    """A fitted n-gram model and its scores.

    Attributes:
        checkpoint: the model, not saved.
        score: the static score of the validation part; None if there is none.
        online: the score of the validation part while counting continues; None unless requested.
    """

    checkpoint: Checkpoint
    score: Score | None
    online: Score | None


def fit_ngrams(
    corpus: Corpus,
    config: NgramConfig,
    progress: ProgressBars = no_bar,
    online: bool = False,
    distributed: bool = False,
    validate: bool = True,
) -> NgramFit:
    """Fit n-grams to the training part of a text, and score the validation part.

    Args:
        corpus: the text.
        config: order and smoothing.
        progress: makes progress bars.
        online: also score the validation part while counting continues on it.
        distributed: count together with the other processes of PyTorch's default process group.
        validate: score the validation part.

    Raises:
        UsageError: `online` does not work with this smoothing or text.
    """
    config, vocab_size = config.with_order(corpus.config.bytes), len(corpus.vocabulary)
    if online:
        config.check_online(corpus.config)
    started, counts = time.perf_counter(), None
    model: NgramModel | LongestMatchModel | MixtureModel
    with progress("counting", "step") as update:
        if config.blend:
            exact = replace(config, blend=False)
            trainer = MixtureTrainer(corpus.train.ids, vocab_size, exact, fold(corpus.vocabulary.symbols), update)
            model = trainer.finish(None, seed=0)
        elif config.method.has_order:
            count = count_distributed if distributed else count_ngrams
            counts = NgramCounts.of(corpus.train.ids, vocab_size, config, update, count)
            model = counts.model()
        else:
            model = fit_ngram(corpus.train.ids, vocab_size, config, update)
    seconds = time.perf_counter() - started
    score = online_score = None
    if validate and len(corpus.validation):
        with progress("scoring", "char") as update:
            score = evaluate(model, corpus.validation, progress=update)
        if online:
            adaptive = counts or as_online_model(model, corpus.train.ids)
            online_score = evaluate_online(adaptive, corpus.validation.ids)
    validation = eval_result(score, corpus.split, documents=corpus.documents is not None) if score else None
    metadata = Metadata(DatasetInfo.of(corpus), seconds, "cpu", validation)
    size = sum(tensor.nbytes for tensor in tensors_of(model).values())
    checkpoint = Checkpoint(model, corpus.vocabulary, metadata, Path(f"{corpus.name}-{config.name}"), size)
    return NgramFit(checkpoint, score, online_score)


def assist_counting(corpus: Corpus, config: NgramConfig) -> None:
    """Count a part of the training text for rank 0, which calls `fit_ngrams` with the same arguments."""
    config = config.with_order(corpus.config.bytes)
    assert config.order
    count_distributed(corpus.train.ids, len(corpus.vocabulary), config.order, config.method.counts_occurrences)


def is_fit_of(path: Path, corpus: Corpus, config: NgramConfig) -> bool:
    """Return whether a checkpoint is an n-gram model of this text with this configuration."""
    try:
        saved = load(path)
    except CheckpointError:
        return False
    text, expected = saved.metadata.text, DatasetInfo.of(corpus)
    fitted = config_of(saved.model)
    if isinstance(fitted, MixtureConfig):
        fitted = fitted.counts if fitted.network else replace(fitted.counts, blend=True)
    return fitted == config and (text.sha256, text.corpus) == (expected.sha256, expected.corpus)
