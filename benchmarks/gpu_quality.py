"""Quality for time on a GPU: what budgets of minutes reach, and when a loss is first passed. See gpu.py."""

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
KARPATHY = ModelConfig(cell="lstm", num_layers=3, hidden_size=512)
KARPATHYS_LOSS = 1.395
"""Nats, of a checkpoint named in char-rnn's README; its split is the end of each stream, so not quite this one."""


def budgets(text: Path, minutes: list[float], batches: list[int], device: torch.device) -> Iterator[Row]:
    """What the recipe of each budget reaches, with each number of streams."""
    corpus = read_corpus(text, CorpusConfig())
    for budget in minutes:
        for batch in batches:
            yield fit(
                corpus, ModelConfig(), TrainingConfig(minutes=budget, batch_size=batch), frozenset(), TARGET, device
            )


def karpathys(text: Path, minutes: float, quick: bool, device: torch.device) -> Iterator[Row]:
    """His network, our training; a learning rate that is down after so many minutes."""
    model = replace(KARPATHY, hidden_size=8) if quick else KARPATHY
    training = TrainingConfig(minutes=minutes, batch_size=128)
    corpus = read_corpus(text, CorpusConfig())
    yield fit(corpus, model, training, frozenset({"hidden_size", "batch_size", "networks"}), KARPATHYS_LOSS, device)


def fit(
    corpus: Corpus,
    model: ModelConfig,
    training: TrainingConfig,
    said: frozenset[str],
    target: float,
    device: torch.device,
) -> Row:
    """Train as `charrnn train --minutes` does."""
    recipe = configure_for_budget(model, training, said, Workload(len(corpus.train)), device)
    model, settings = recipe.model, recipe.training
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
        """Seconds of training before a validation, that one and those before it taken off."""
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
            round(evaluate(one, corpus.validation).nats_per_char, 4) for one in checkpoints.finished
        ],
        "characters": together.characters,
        "target": target,
        "training_seconds_to_target": trained(below[0]) if below else None,
        "split": corpus.split,
        "parameters": checkpoints.network.parameter_count,
        "seed": settings.seed,
    }
