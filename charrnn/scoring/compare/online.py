"""The online table: models and compressors that learn while they read. Its figures do not compare with static ones."""

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
    """All models that can learn while they read, and compressors; the best first.

    The `pair` is a network and n-grams among the models whose mean is a row too; `training` is the text that all models
    were fitted on. At most `limit` characters are read; 0: all.
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
        how = "counts go on" if model.kind == "ngram" else "dynamic evaluation"
        started = time.perf_counter()
        with bars("counting", "step") as counting, bars(f"{model.name} learns", "char") as reading:
            log_probs = as_online_model(model.model, training.train.ids, counting, reading).online_log_probs(ids)
        seconds = time.perf_counter() - started
        yield OnlineRow(model.description, how, score_from_log_probs(log_probs, vocab_size), seconds, split)
        if pair and model.path in (pair[0].path, pair[1].path):
            of_pair[model.path] = log_probs, seconds
    if pair and len(of_pair) == len(pair):
        (network, seconds), (ngram, more) = (of_pair[model.path] for model in pair)
        both = np.logaddexp(network + math.log(NETWORK_SHARE), ngram + math.log(1 - NETWORK_SHARE))
        yield OnlineRow(
            interpolate(*pair).description, "both", score_from_log_probs(both, vocab_size), seconds + more, split
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
        yield OnlineRow(compressor.name, f"sees {compressor.sees}", score, time.perf_counter() - started, split)
