"""The page's words and tables about a model: what it is, its training, and other models beside it."""

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
"""The most characters of a command, and of a sample, that are shown."""
MAX_SAMPLES, MAX_ROWS = 40, 24
"""The most samples of a training, and rows of its table, that are shown."""


def head(checkpoint: Checkpoint) -> dict[str, Any]:
    """A sentence about the model, and details as terms and descriptions."""
    metadata, model = checkpoint.metadata, checkpoint.model
    parameters, entries = getattr(model, "parameter_count", None), getattr(model, "entries", None)
    sizes = [f"{parameters:,} parameters"] if parameters else []
    sizes += [f"{entries:,} n-grams"] if entries else []
    steps = "" if metadata.step is None else f", {metadata.step:,} steps"
    command = shlex.join(("charrnn", *metadata.command[1:])) if metadata.command else ""
    if len(command) > MAX_COMMAND:
        command = f"{command[:MAX_COMMAND]}…"
    details = {
        "Model": ", ".join((checkpoint.description, *sizes)),
        "Reads": ("the 256 bytes" if checkpoint.vocabulary.is_bytes else f"{len(checkpoint.vocabulary):,} characters"),
        "Text": f"{metadata.text.source}, {metadata.text.characters:,} characters",
        "Held out": str(metadata.validation or "nothing"),
        "Fitted": f"in {duration(metadata.fit_seconds)} on {metadata.device}{steps}",
        "Seed": "" if metadata.training is None else str(metadata.training.seed),
        "Versions": ", ".join(f"{name} {version}" for name, version in metadata.versions.items()),
        "Command": command,
        "File": f"{checkpoint.path}, {size(checkpoint.size)}",
    }
    return {"sentence": _sentence(checkpoint), "details": [(term, text) for term, text in details.items() if text]}


def _sentence(checkpoint: Checkpoint) -> str:
    metadata = checkpoint.metadata
    config = getattr(checkpoint.model, "config", None)
    if checkpoint.kind == "recurrent" and isinstance(config, ModelConfig):
        layers = "one layer" if config.num_layers == 1 else f"{config.num_layers} layers"
        several = f", one of {config.networks}," if config.networks > 1 else ""
        what = f"{CELLS[config.cell].label} with {layers} of {config.hidden_size} units{several}"
        verb = "trained"
    else:
        what = "A network and n-gram counts as one model" if checkpoint.kind == "mixture" else "Counts of n-grams"
        verb = "fitted"
    what += f", {verb} for {duration(metadata.fit_seconds)} on {metadata.text.source}"
    score = metadata.validation
    if score is None:
        return f"{what}. Nothing was held out."
    if score.bits_per_char is None:
        share = 100 * score.impossible_share
        return f"{what}. {share:.1f}% of the held-out characters have probability 0, so it is infinitely surprised."
    return f"{what}. On held-out text it needs {score.bits_per_char:.3f} bits per character."


def training(records: Sequence[Record]) -> dict[str, Any] | None:
    """The picture of a training, its figures, and the samples on the way."""
    if not records:
        return None
    last, networks = records[-1], len({record.network for record in records})
    several = f" of each of {networks} networks" if networks > 1 else ""
    sentence = f"{last.step:,} step{'s' * (last.step != 1)}{several} in {duration(last.seconds)}."
    scored = [record for record in records if record.bits_per_char is not None]
    best = min(scored, key=lambda record: record.bits_per_char or math.inf, default=None)
    if best:
        sentence += f" The best validation, {best.bits_per_char:.4f} bits per character, was after step {best.step:,}"
        sentence += f", on {best.characters:,} characters ({best.rule}, split {best.split})" * bool(best.characters)
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
    """At most `limit` of the records, evenly spaced, with the last one."""
    count = min(len(records), limit)
    return [records[(i + 1) * len(records) // count - 1] for i in range(count)]


def comparison(checkpoint: Checkpoint, rows: Sequence[Row], split: EvalSplit, source: str) -> dict[str, Any]:
    """The table of models, the best first; their scores may be of the beginning of the page's split only."""
    if not rows:
        return {"sentence": "Other models were left out (charrnn view --no-compare).", "rows": []}
    compared = len(rows[0].split.text)
    first = "all" if compared == len(split.text) else f"the first {compared:,} of"
    which = "" if split.part == "all" else f"{split.part} part of "
    return {
        "sentence": (
            f"Models of the same text, on {first} {len(split.text):,} characters ({which}{source}, split "
            f"{split.split}), {split.rule}; the best first. p = 0: the share of characters that a model takes for "
            "impossible; p: parameters, n: n-grams. Samples are of temperature 1; speeds were measured while this page "
            "was made."
        ),
        "headers": [column.title for column in shown_columns(Row)],
        "rows": [_row(row, checkpoint) for row in rows],
    }


def _row(row: Row, this: Checkpoint) -> dict[str, Any]:
    notes = ["made for this table" if row.is_baseline else row.checkpoint.description]
    notes += [f"p = 0: {percent(row.score.impossible_share)}"] * (row.score.impossible > 0)
    return {
        "is_this": row.checkpoint is this,
        "name": row.checkpoint.description if row.is_baseline else row.checkpoint.name,
        "notes": notes,
        "cells": [column.show(row).split("\n") for column in shown_columns(Row)],
        "sample": row.sample,
    }
