"""Parts of the report about a whole model: header, training, comparison with other models."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.config import ModelConfig
from charrnn.formatting import duration, percent, size
from charrnn.models.rnn.cells import CELLS
from charrnn.report.view.pictures import training_picture
from charrnn.scoring.compare.columns import shown_columns
from charrnn.scoring.compare.rows import Row
from charrnn.scoring.held_out import EvalSplit
from charrnn.training.monitor.history import Record

MAX_COMMAND, MAX_SAMPLE = 400, 1000
"""Maximum number of characters shown of a command, and of a sample."""
MAX_SAMPLES, MAX_ROWS = 40, 24
"""Maximum number of training samples, and of rows in the training table."""


def describe_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a summary sentence about the model, and details as pairs of term and description."""
    metadata, model = checkpoint.metadata, checkpoint.model
    parameters, entries = getattr(model, "parameter_count", None), getattr(model, "entries", None)
    sizes = [f"{parameters:,} parameters"] if parameters else []
    sizes += [f"{entries:,} n-grams"] if entries else []
    steps = "" if metadata.step is None else f"{metadata.step:,} steps in "
    command = shlex.join(("charrnn", *metadata.command[1:])) if metadata.command else ""
    if len(command) > MAX_COMMAND:
        command = f"{command[:MAX_COMMAND]}…"
    details = {
        "Model": ", ".join((checkpoint.description, *sizes)),
        "Vocabulary": "256 bytes" if checkpoint.vocabulary.is_bytes else f"{len(checkpoint.vocabulary):,} characters",
        "Text": f"{metadata.text.source}, {metadata.text.characters:,} characters",
        "Validation": str(metadata.validation or "none: no text was held out"),
        "Training": f"{steps}{duration(metadata.fit_seconds)} on {metadata.device}",
        "Seed": "" if metadata.training is None else str(metadata.training.seed),
        "Versions": ", ".join(f"{name} {version}" for name, version in metadata.versions.items()),
        "Command": command,
        "Checkpoint": f"{checkpoint.path}, {size(checkpoint.size)}",
    }
    return {"sentence": _sentence(checkpoint), "details": [(term, text) for term, text in details.items() if text]}


def _sentence(checkpoint: Checkpoint) -> str:
    metadata = checkpoint.metadata
    config = getattr(checkpoint.model, "config", None)
    if checkpoint.kind == "recurrent" and isinstance(config, ModelConfig):
        layers = "one layer" if config.num_layers == 1 else f"{config.num_layers} layers"
        labels = [CELLS[name].label for name in config.cell.split(",")]
        shape = f"{labels[0]} with {layers} of {config.hidden_size} units"
        if len(labels) > 1:
            shape = f"Network with {layers} of {config.hidden_size} units ({', '.join(labels)})"
        ensemble = f" (one of an ensemble of {config.networks} networks)" if config.networks > 1 else ""
        model = f"{shape}{ensemble}"
        verb = "trained"
    else:
        model = "Mixture of a network and an n-gram model" if checkpoint.kind == "mixture" else "N-gram model"
        verb = "fitted"
    model += f", {verb} for {duration(metadata.fit_seconds)} on {metadata.text.source}"
    score = metadata.validation
    if score is None:
        return f"{model}. No text was held out, so there is no validation score."
    if score.bits_per_char is None:
        share = 100 * score.impossible_share
        return f"{model}. The score is infinite: {share:.1f}% of the held-out characters have probability 0."
    return f"{model}. Score on held-out text: {score.bits_per_char:.3f} bits per character (lower is better)."


def describe_training(records: Sequence[Record]) -> dict[str, Any] | None:
    """Return the chart of a training, its data, and the samples generated during the training."""
    if not records:
        return None
    last, networks = records[-1], len({record.network for record in records})
    per_network = f" for each of {networks} networks" if networks > 1 else ""
    sentence = f"{last.step:,} step{'s' * (last.step != 1)}{per_network} in {duration(last.seconds)}."
    scored = [record for record in records if record.bits_per_char is not None]
    best = min(scored, key=lambda record: record.bits_per_char or math.inf, default=None)
    if best:
        sentence += f" Best validation score: {best.bits_per_char:.4f} bits per character after step {best.step:,}"
        sentence += f", on {best.characters:,} held-out characters" * bool(best.characters)
        sentence += "."
    return {
        "sentence": sentence,
        "picture": training_picture(records),
        "rows": [
            (
                f"{record.step:,}" + f" (network {record.network})" * (networks > 1),
                "" if record.loss is None else f"{record.loss / math.log(2):.4f}",
                "" if record.bits_per_char is None else f"{record.bits_per_char:.4f}",
                f"{record.learning_rate:.3g}",
            )
            for record in _thinned(records, MAX_ROWS)
        ],
        "samples": [
            {"label": _label(record, networks), "text": str(record.sample)[:MAX_SAMPLE]}
            for record in _thinned([record for record in records if record.sample], MAX_SAMPLES)
        ],
    }


def _label(record: Record, networks: int) -> str:
    which = f"network {record.network}, " if networks > 1 else ""
    bits = "" if record.bits_per_char is None else f", validation {record.bits_per_char:.3f} bits"
    return f"{which}step {record.step:,}{bits}"


def _thinned(records: Sequence[Record], limit: int) -> list[Record]:
    """Return at most `limit` of the records, evenly spaced, including the last one."""
    count = min(len(records), limit)
    return [records[(i + 1) * len(records) // count - 1] for i in range(count)]


def describe_comparison(checkpoint: Checkpoint, rows: Sequence[Row], split: EvalSplit, source: str) -> dict[str, Any]:
    """Return the table of models, the best first; they may be scored on the beginning of the page's split only."""
    if not rows:
        return {"sentence": "This page was made without a comparison (charrnn view --no-compare).", "rows": []}
    compared = len(rows[0].split.text)
    first = "all" if compared == len(split.text) else f"the first {compared:,} of"
    part = "" if split.part == "all" else f"{split.part} part of "
    return {
        "sentence": (
            f"Models of the same text, scored on {first} {len(split.text):,} characters ({part}{source}, split "
            f"{split.split}, {split.rule}). Fewer bits per character are better."
        ),
        "caption": (
            "The best model is first; this page's model is bold. Static: the models do not learn from the text while "
            "they are scored. Size: p is the number of parameters, n the number of n-grams. p = 0: the share of "
            "characters to which a model gives probability 0. Speeds were measured while this page was made."
        ),
        "headers": [column.title for column in shown_columns(Row)],
        "rows": [_row(row, checkpoint) for row in rows],
    }


def _row(row: Row, this: Checkpoint) -> dict[str, Any]:
    notes = ["baseline, fitted for this table" if row.is_baseline else row.checkpoint.description]
    notes += [f"p = 0: {percent(row.score.impossible_share)}"] * (row.score.impossible > 0)
    return {
        "is_this": row.checkpoint is this,
        "name": row.checkpoint.description if row.is_baseline else row.checkpoint.name,
        "notes": notes,
        "cells": [column.show(row).split("\n") for column in shown_columns(Row)],
        "sample": row.sample,
    }
