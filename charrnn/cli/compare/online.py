"""The online part of `charrnn compare`: models and compressors that learn while they read, in a table of their own."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import console, one_line, progress
from charrnn.format import figure
from charrnn.pipeline.networks import TIP_NETWORK_WEIGHT as NETWORK_SHARE
from charrnn.scoring.compare.baselines import Blend
from charrnn.scoring.compare.rows import HeldOut
from charrnn.scoring.compressors import COMPRESSORS, MISSING, bits_after
from charrnn.scoring.evaluate import Score, score_of
from charrnn.scoring.online import OnlineRow, can_learn, learning
from charrnn.text.corpus import Corpus


def online_rows(
    models: Sequence[Checkpoint], together: Blend | None, part: HeldOut, fitted_on: Corpus, limit: int
) -> list[OnlineRow]:
    """All that can learn while they read, the best first, with bars.

    Args:
        models: of the table.
        together: two of them that are mixed, if they are.
        part: the characters of the table.
        fitted_on: the text that all models were fitted on.
        limit: of the characters that are read; 0: all.
    """
    rows = list(_rows(models, together, part, part.ids[: limit or None], fitted_on))
    return sorted(rows, key=lambda row: row.score.nats_per_char if row.score else np.inf)


def _rows(
    models: Sequence[Checkpoint], together: Blend | None, part: HeldOut, ids: NDArray[Any], fitted_on: Corpus
) -> Iterator[OnlineRow]:
    of: dict[str, Any] = {"split": part.split, "part": part.part, "of_characters": len(part.ids)}
    vocab_size = len(fitted_on.vocabulary)
    kept: dict[Path, tuple[NDArray[np.float64], float]] = {}
    for model in models:
        if not can_learn(model.model):
            continue
        how = "counts go on" if model.kind == "ngram" else "dynamic evaluation"
        started = time.perf_counter()
        with progress("counting", "step") as counting, progress(f"{model.name} learns", "char") as reading:
            log_probs = learning(model.model, fitted_on.train, counting, reading).online_log_probs(ids)
        yield OnlineRow(model.description, how, score_of(log_probs, vocab_size), time.perf_counter() - started, **of)
        if together and model.path in (together.network.path, together.counts.path):
            kept[model.path] = log_probs, time.perf_counter() - started
    if together and len(kept) == 2:
        (network, seconds), (counts, more) = kept[together.network.path], kept[together.counts.path]
        both = np.logaddexp(network + math.log(NETWORK_SHARE), counts + math.log(1 - NETWORK_SHARE))
        yield OnlineRow(together.description, "both", score_of(both, vocab_size), seconds + more, **of)
    for compressor in COMPRESSORS:
        if not compressor.is_there:
            yield OnlineRow(compressor.name, f"not installed: {MISSING}", None, 0.0, **of)
            continue
        started = time.perf_counter()
        with progress(compressor.name, "char") as reading:
            bits = bits_after(compressor, fitted_on.train, ids, fitted_on.vocabulary, reading)
        score = Score(bits * math.log(2), len(ids))
        yield OnlineRow(compressor.name, f"sees {compressor.sees}", score, time.perf_counter() - started, **of)


def show_online(rows: Sequence[OnlineRow]) -> None:
    """Print their table, and what it means."""
    screen = console()
    table = plain_table()
    table.add_column("online", overflow="fold")
    for header in ("bits/\nchar", "nats/\nchar", "took"):
        table.add_column(header, justify="right")
    table.add_column("it learns while it reads", overflow="fold")
    for row in rows:
        label = one_line(row.label)
        if row.score:
            bits, nats = figure(row.score.bits_per_char), figure(row.score.nats_per_char)
            table.add_row(label, bits, nats, f"{row.seconds:.1f} s", row.how)
        else:
            table.add_row(label, "-", "-", "-", row.how)
    screen.print()
    show_table(table)
    read = next(row.score.characters for row in rows if row.score)
    total = rows[0].of_characters
    cut = f"the first {read:,} of {total:,} held-out characters (--limit 0: all)" if read < total else ""
    screen.print(
        f"\nOnline, {cut or f'the same {read:,} held-out characters'}: each is predicted, and then learned from, so "
        "nothing here compares with the static figures above. Compressors: by how much the held-out text lengthens the "
        "code of the training part."
    )
