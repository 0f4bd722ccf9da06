"""All cells at the same parameters and the same minutes on one text: bits per character, speed, samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from charrnn.config import CELLS, SamplingConfig, TrainingConfig
from charrnn.lab.experiment import (
    LabContext,
    LabResult,
    Row,
    column,
    describe_machine,
    describe_text,
    held_out,
    line_style,
    title,
)
from charrnn.lab.networks import config_of_size, new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import legend, new_figure
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.training.loop import Training
from charrnn.training.optim.precision import dtype_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS = 2
TEMPERATURE = 0.8


@dataclass(frozen=True)
class CellsSize:
    """How large the experiment is.

    Attributes:
        parameters: of each network, nearly.
        minutes: of training for each, on this machine; None where `steps` are given.
        steps: of training, instead of minutes, so that a seed gives one result.
        points: of each curve.
        curve_characters: held-out characters that its points are of; the last network is scored on all, too.
        length: of what is written.
    """

    parameters: int
    minutes: float | None
    steps: int | None = None
    points: int = 8
    curve_characters: int = 20_000
    length: int = 300


SIZES = {
    "tiny": CellsSize(60_000, None, steps=2, points=2, curve_characters=50, length=20),
    "quick": CellsSize(300_000, 0.5),
    "full": CellsSize(600_000, 3.0, points=12),
}


def run(context: LabContext, size: CellsSize) -> LabResult:
    """Train a network of each cell for the same time.

    Raises:
        TextError: nothing of the text is held out.
        UsageError: a cell cannot be made so small.
    """
    corpus = context.require_corpus()
    ids = held_out(corpus, 2)
    config = TrainingConfig(steps=size.steps, minutes=size.minutes, seed=context.seed)
    models = [config_of_size(cell, LAYERS, len(corpus.vocabulary), size.parameters) for cell in CELLS]
    rows: list[Row] = []
    samples = []
    for model in models:
        network = new_network(model, len(corpus.vocabulary), context.seed, context.device)
        points = _train(context, size, config, network)
        before = time.perf_counter()
        sampling = SamplingConfig(temperature=TEMPERATURE, length=size.length, seed=context.seed)
        written = "".join(generate(network, corpus.vocabulary, sampling))
        writing_speed = round(size.length / (time.perf_counter() - before))
        samples.append((f"{model}, temperature {TEMPERATURE}, seed {context.seed}", written))
        rows += [
            {
                "cell": model.cell,
                "width": model.hidden_size,
                "parameters": network.parameter_count,
                **point,
                "sampling_chars_per_second": writing_speed,
            }
            for point in points
        ]
    length = f"{size.minutes:g} minutes of training each" if size.minutes else f"{size.steps} steps each"
    kind = str(dtype_of(config, context.device)).removeprefix("torch.")
    description = (
        f"{describe_text(corpus)}: bits per character of held-out text, static, in one pass; curves are of its first "
        f"{size.curve_characters:,} characters, the figures beside the names of all {len(ids):,}. The same for all: "
        f"{LAYERS} layers with residual connections, about {size.parameters:,} parameters, {length} (scoring not "
        f"counted), {config.optimizer} at {config.learning_rate:g} (chosen for LSTMs), batch {config.batch_size} x "
        f"{config.seq_length}, products in {kind}, no dropout, seed {context.seed}. On "
        f"{describe_machine(context.device)}."
    )
    return LabResult(rows, _table(rows), description, _draw(rows), samples)


def _train(context: LabContext, size: CellsSize, config: TrainingConfig, network: RecurrentModel) -> list[Row]:
    """Points of the curve; the clock of a budget stands still while they are scored.

    The loop plans its steps after it has timed the first ones, and here the plan is mended after each, so that all have
    the same time to the second even where the machine has other work; the learning rate follows the plan.
    """
    corpus = context.require_corpus()
    streams = Streams(corpus.train.ids, config.batch_size, config.seq_length)
    training = Training(network, streams, corpus.validation[:0], config)  # nothing is scored but here
    points: list[Row] = []
    scoring = 0.0

    def add(seconds: float, is_last: bool) -> None:
        """Score the network as it is."""
        nonlocal scoring
        before, ids = time.perf_counter(), corpus.validation
        first = evaluate(network, ids[: size.curve_characters]).bits_per_char
        points.append(
            {
                "seconds": round(seconds, 2),
                "steps": training.step,
                "chars_per_second": round(training.step * config.batch_size * config.seq_length / seconds),
                "first_bits_per_char": first,
                "bits_per_char": evaluate(network, ids).bits_per_char if is_last else None,
            }
        )
        scoring += time.perf_counter() - before

    seconds = 0.0
    for step in training.steps():
        step.loss.item()  # wait for the device
        seconds = time.perf_counter() - training.started - scoring
        if training.plan is None:
            continue
        if size.minutes:
            left = round((60 * size.minutes - seconds) * step.number / seconds)
            training.plan = replace(training.plan, steps=step.number + max(0, left), earlier=())
        steps = training.plan.steps
        context.progress(f"{network.config}", step.number, steps)
        if (len(points) + 1) / size.points <= step.number / steps < 1:
            add(seconds, is_last=False)
    add(seconds, is_last=True)
    return points


def _table(rows: Sequence[Row]) -> list[list[str]]:
    table = [["cell", "width", "parameters", "bits/char", "seconds", "steps", "training chars/s", "writing chars/s"]]
    last_points = [row for row in rows if row["bits_per_char"] is not None]
    for row in sorted(last_points, key=lambda row: row["bits_per_char"]):
        table.append(
            [row["cell"], f"{row['width']}", f"{row['parameters']:,}", f"{row['bits_per_char']:.3f}"]
            + [f"{row['seconds']:.1f}", f"{row['steps']:,}"]
            + [f"{row[name]:,}" for name in ("chars_per_second", "sampling_chars_per_second")]
        )
    return table


def _draw(rows: Sequence[Row]) -> Figure:
    figure, axes = new_figure(7.2, 4.6)
    (ax,) = axes
    for cell in CELLS:
        seconds, bits, scores, widths = (
            column(rows, name, cell=cell) for name in ("seconds", "first_bits_per_char", "bits_per_char", "width")
        )
        ax.plot(seconds, bits, label=f"{cell} {LAYERS}x{widths[-1]}: {scores[-1]:.3f}", **line_style(cell))
    end = max(column(rows, "seconds"))
    # The first tenth of the time does not count for the scale: before that all is steep.
    late = [row["first_bits_per_char"] for row in rows if row["seconds"] >= 0.1 * end]
    low, high = min(late), float(np.max(late))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_xlim(0)
    title(ax, "bits per character, held out")
    ax.set_xlabel("seconds of training")
    legend(ax, "upper right")
    return figure
