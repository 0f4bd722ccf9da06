"""The parts of gpu.py on quality for time: the loss that time budgets reach, and the time to a target loss."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from charrnn import CorpusConfig, ModelConfig, TrainingConfig, evaluate, read_corpus
from charrnn.text.corpus import Corpus
from charrnn.training.budget.auto_config import Workload, configure_for_budget
from charrnn.training.ensemble import train_ensemble
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager

Row = dict[str, Any]
TARGET = 1.47
"""Target validation loss on Tiny Shakespeare, in nats per character."""
KARPATHY = ModelConfig(cell="lstm", num_layers=3, hidden_size=512)
"""Karpathy's network for all of Shakespeare."""
KARPATHYS_LOSS = 1.395
"""Validation loss of a checkpoint in char-rnn's README, in nats per character. Its split is the end of each stream, so
the loss is not exactly comparable."""


def budgets(text: Path, minutes: list[float], batches: list[int], device: torch.device) -> Iterator[Row]:
    """Train for each time budget with each batch size."""
    corpus = read_corpus(text, CorpusConfig())
    for budget in minutes:
        for batch in batches:
            yield fit(
                corpus, ModelConfig(), TrainingConfig(minutes=budget, batch_size=batch), frozenset(), TARGET, device
            )


def karpathys(text: Path, minutes: float, quick: bool, device: torch.device) -> Iterator[Row]:
    """Train Karpathy's network with charrnn's defaults for a time budget."""
    model = replace(KARPATHY, hidden_size=8) if quick else KARPATHY
    training = TrainingConfig(minutes=minutes, batch_size=128)
    corpus = read_corpus(text, CorpusConfig())
    yield fit(corpus, model, training, frozenset({"hidden_size", "batch_size", "networks"}), KARPATHYS_LOSS, device)


def fit(
    corpus: Corpus,
    model: ModelConfig,
    training: TrainingConfig,
    explicit: frozenset[str],
    target: float,
    device: torch.device,
) -> Row:
    """Train as `charrnn train --minutes` does."""
    chosen = configure_for_budget(model, training, explicit, Workload(len(corpus.train)), device)
    model, settings = chosen.model, chosen.training
    scores, steps = [], 0
    started = time.perf_counter()
    run = Run(corpus, model, settings, RunContext(device, started=started))
    streams = run.streams
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointManager(Path(folder) / "model.safetensors", run)
        for step, _ in train_ensemble(checkpoints):
            steps += 1
            if step.score:
                scores.append((time.perf_counter() - started, step.score))
    seconds, together = time.perf_counter() - started, checkpoints.score
    assert together
    network = checkpoints.finished[0]
    before = time.perf_counter()
    evaluate(network, corpus.validation)
    per_character = (time.perf_counter() - before) / len(corpus.validation)

    def trained(until: int) -> float:
        """Return the seconds of training before validation number `until`, without any validations."""
        return round(scores[until][0] - per_character * sum(score.characters for _, score in scores[: until + 1]), 2)

    below = [number for number, (_, score) in enumerate(scores) if score.nats_per_char <= target]
    return {
        "minutes": training.minutes,
        "model": str(model),
        "dropout": model.dropout,
        "batch": f"{streams.batch_size}x{streams.seq_length}",
        "networks": len(checkpoints.finished),
        "steps": steps,
        "chars_per_second": round(steps * streams.batch_size * streams.seq_length / trained(len(scores) - 1)),
        "seconds": round(seconds, 2),
        "training_seconds": trained(len(scores) - 1),
        "nats_per_char": round(together.nats_per_char, 4),
        "nats_per_char_of_each": [
            round(evaluate(finished, corpus.validation).nats_per_char, 4) for finished in checkpoints.finished
        ],
        "characters": together.characters,
        "target": target,
        "training_seconds_to_target": trained(below[0]) if below else None,
        "split": corpus.split,
        "parameters": checkpoints.network.parameter_count,
        "seed": settings.seed,
    }
