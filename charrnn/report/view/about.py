"""What a page says of a model in words and tables: what it is, its training, and other models beside it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.config import ModelConfig
from charrnn.format import duration, percent, size
from charrnn.models.rnn.cells import CELLS
from charrnn.report.view.pictures import training_picture
from charrnn.scoring.compare.columns import shown_columns
from charrnn.scoring.compare.rows import Row
from charrnn.scoring.held_out import EvalSplit
from charrnn.training.monitor.history import Record

LONGEST_COMMAND = 400
MOST_SAMPLES, LONGEST_SAMPLE = 40, 1000
MOST_ROWS = 24
"""Of the table of a training."""


def head(checkpoint: Checkpoint) -> dict[str, Any]:
    """A sentence, and what else is known as terms and descriptions."""
    facts, model = checkpoint.metadata, checkpoint.model
    parameters, entries = getattr(model, "parameter_count", None), getattr(model, "entries", None)
    sizes = [f"{parameters:,} parameters"] if parameters else []
    sizes += [f"{entries:,} n-grams"] if entries else []
    text = facts.text
    vocabulary = "the 256 bytes" if checkpoint.vocabulary.is_bytes else f"{len(checkpoint.vocabulary):,} characters"
    steps = "" if facts.step is None else f", {facts.step:,} steps"
    seed = "" if facts.training is None else str(facts.training.seed)
    command = shlex.join(("charrnn", *facts.command[1:])) if facts.command else ""
    if len(command) > LONGEST_COMMAND:
        command = f"{command[:LONGEST_COMMAND]}…"
    found = {
        "Model": ", ".join((checkpoint.description, *sizes)),
        "Reads": vocabulary,
        "Text": f"{text.source}, {text.characters:,} characters",
        "Held out": str(facts.validation or "nothing"),
        "Fitted": f"in {duration(facts.fit_seconds)} on {facts.device}{steps}",
        "Seed": seed,
        "Versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
        "Command": command,
        "File": f"{checkpoint.path}, {size(checkpoint.size)}",
    }
    return {"sentence": _sentence(checkpoint), "facts": [(name, one) for name, one in found.items() if one]}


def _sentence(checkpoint: Checkpoint) -> str:
    facts, config = checkpoint.metadata, checkpoint.model
    network = getattr(config, "config", None)
    if checkpoint.kind == "recurrent" and isinstance(network, ModelConfig):
        layers = "one layer" if network.num_layers == 1 else f"{network.num_layers} layers"
        several = f", one of {network.networks}," if network.networks > 1 else ""
        what = f"{CELLS[network.cell].label} with {layers} of {network.hidden_size} units{several}"
        verb = "trained"
    else:
        what = "A network and n-gram counts as one model" if checkpoint.kind == "mixture" else "Counts of n-grams"
        verb = "fitted"
    what += f", {verb} for {duration(facts.fit_seconds)} on {facts.text.source}"
    score = facts.validation
    if score is None:
        return f"{what}. Nothing was held out."
    if score.bits_per_char is None:
        share = f"{100 * score.impossible_share:.1f}%"
        return f"{what}. {share} of the held-out characters have probability 0, so it is infinitely surprised."
    return f"{what}. On held-out text it needs {score.bits_per_char:.3f} bits per character."


def training(records: Sequence[Record]) -> dict[str, Any] | None:
    """The picture of a training, its figures, and what was written on the way."""
    if not records:
        return None
    sampled = [one for one in records if one.sample]
    networks = len({one.network for one in records})
    last = records[-1]
    scored = [one for one in records if one.bits_per_char is not None]
    best = min(scored, key=lambda one: one.bits_per_char or math.inf, default=None)
    several = f" of each of {networks} networks" if networks > 1 else ""
    said = [f"{last.step:,} step{'s' * (last.step != 1)}{several} in {duration(last.seconds)}."]
    if best:
        said.append(f"The best validation, {best.bits_per_char:.4f} bits per character, was after step {best.step:,}")
        said[-1] += (
            f", on {best.characters:,} characters ({best.rule}, split {best.split})." if best.characters else "."
        )
    return {
        "sentence": " ".join(said),
        "picture": _markup(training_picture(records)),
        "rows": [
            (
                f"{one.step:,}" + f" (network {one.network})" * (networks > 1),
                "" if one.loss is None else f"{one.loss / math.log(2):.4f}",
                "" if one.bits_per_char is None else f"{one.bits_per_char:.4f}",
                f"{one.learning_rate:.3g}",
            )
            for one in _thinned(records, MOST_ROWS)
        ],
        "samples": [
            {"label": _label(one, networks), "text": str(one.sample)[:LONGEST_SAMPLE]}
            for one in _thinned(sampled, MOST_SAMPLES)
        ],
    }


def _label(record: Record, networks: int) -> str:
    which = f"network {record.network}, " if networks > 1 else ""
    bits = "" if record.bits_per_char is None else f", validation {record.bits_per_char:.3f} bits"
    return f"{which}step {record.step:,}{bits}"


def _thinned(records: Sequence[Record], most: int) -> list[Record]:
    """Not more than so many, evenly, the last one among them."""
    count = len(records)
    if count <= most:
        return list(records)
    return [records[(i + 1) * count // most - 1] for i in range(most)]


def comparison(checkpoint: Checkpoint, rows: Sequence[Row], split: EvalSplit, source: str) -> dict[str, Any]:
    """The table of models side by side.

    Args:
        checkpoint: the model of the page.
        rows: of all models, the best first; nothing if the table is left out.
        split: what the page reads; the rows may be scored on its beginning alone.
        source: what that text is called.
    """
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


def _markup(svg: str) -> object:
    from markupsafe import Markup

    return Markup(svg)
