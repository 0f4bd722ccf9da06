"""The online table: adaptive models and compressors. Online scores are not comparable with static scores."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.checkpoint import Checkpoint
from charrnn.progress import ProgressBars, no_bar
from charrnn.scoring.compare.baselines import NETWORK_SHARE, interpolate
from charrnn.scoring.compare.rows import OnlineRow
from charrnn.scoring.compressors import COMPRESSORS, INSTALL_PPMD, bits_after
from charrnn.scoring.evaluate import Score, score_from_log_probs
from charrnn.scoring.held_out import EvalSplit
from charrnn.scoring.online import as_online_model, supports_online
from charrnn.text.corpus import Corpus


def measure_online(
    models: Sequence[Checkpoint],
    pair: tuple[Checkpoint, Checkpoint] | None,
    split: EvalSplit,
    training: Corpus,
    limit: int = 0,
    bars: ProgressBars = no_bar,
) -> list[OnlineRow]:
    """Score the models that support online evaluation, and the compressors.

    Args:
        models: the models; those without online evaluation are skipped.
        pair: a network and an n-gram model among them, whose interpolation gets a row of its own.
        split: the held-out text.
        training: the text that all models were fitted on.
        limit: the maximum number of characters to score; 0: all.
        bars: progress bars.

    Returns:
        The rows, the best first.
    """
    rows = [*_model_rows(models, pair, split, training, limit, bars), *_compressor_rows(split, training, limit, bars)]
    return sorted(rows, key=lambda row: row.score.nats_per_char if row.score else math.inf)


def _model_rows(
    models: Sequence[Checkpoint],
    pair: tuple[Checkpoint, Checkpoint] | None,
    split: EvalSplit,
    training: Corpus,
    limit: int,
    bars: ProgressBars,
) -> Iterator[OnlineRow]:
    ids, vocab_size = split.text.ids[: limit or None], len(training.vocabulary)
    of_pair = {}
    for model in models:
        if not supports_online(model.model):
            continue
        how = "keeps counting" if model.kind == "ngram" else "dynamic evaluation"
        started = time.perf_counter()
        with bars("counting", "step") as counting, bars(f"adapting {model.name}", "char") as reading:
            log_probs = as_online_model(model.model, training.train.ids, counting, reading).online_log_probs(ids)
        seconds = time.perf_counter() - started
        yield OnlineRow(model.description, how, score_from_log_probs(log_probs, vocab_size), seconds, split)
        if pair and model.path in (pair[0].path, pair[1].path):
            of_pair[model.path] = log_probs, seconds
    if pair and len(of_pair) == len(pair):
        (network, network_seconds), (ngram, ngram_seconds) = (of_pair[model.path] for model in pair)
        both = np.logaddexp(network + math.log(NETWORK_SHARE), ngram + math.log(1 - NETWORK_SHARE))
        yield OnlineRow(
            interpolate(*pair).description,
            "both methods",
            score_from_log_probs(both, vocab_size),
            network_seconds + ngram_seconds,
            split,
        )


def _compressor_rows(split: EvalSplit, training: Corpus, limit: int, bars: ProgressBars) -> Iterator[OnlineRow]:
    ids = split.text.ids[: limit or None]
    for compressor in COMPRESSORS:
        if not compressor.is_installed:
            yield OnlineRow(compressor.name, f"not installed: {INSTALL_PPMD}", None, 0.0, split)
            continue
        started = time.perf_counter()
        with bars(compressor.name, "char") as reading:
            bits = bits_after(compressor, training.train.ids, ids, training.vocabulary, reading)
        score = Score(bits * math.log(2), len(ids))
        how = f"compressor, {compressor.memory}"
        yield OnlineRow(compressor.name, how, score, time.perf_counter() - started, split)
