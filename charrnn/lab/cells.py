"""Compare all cells at the same number of parameters and the same training time: bits per character, speed, samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
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
    set_title,
)
from charrnn.lab.networks import config_of_size, new_network, timed_steps
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import add_legend, new_figure
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.training.budget.auto_config import ATTENTION_RATE, ATTENTION_WINDOW, suit_attention
from charrnn.training.loop import Training
from charrnn.training.optim.precision import dtype_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS = 2
TEMPERATURE = 0.8


@dataclass(frozen=True)
class CellsSize:
    """Settings of the experiment.

    Attributes:
        parameters: approximate number of parameters of each network.
        minutes: training time of each network; None to use `steps`.
        steps: number of training steps instead of minutes, for reproducible results.
        points: number of points on each curve.
        curve_characters: number of held-out characters that the curve is scored on; the final score is of all.
        length: length of each sample in characters.
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
        TextError: no part of the text is held out.
        UsageError: no network has approximately that number of parameters.
    """
    corpus = context.require_corpus()
    ids = held_out(corpus, 2)
    config = TrainingConfig(steps=size.steps, minutes=size.minutes, seed=context.seed)
    models = [config_of_size(cell, LAYERS, len(corpus.vocabulary), size.parameters) for cell in CELLS]
    rows: list[Row] = []
    samples = []
    for model, training in (suit_attention(model, config) for model in models):
        network = new_network(model, len(corpus.vocabulary), context.seed, context.device)
        points = _train(context, size, training, network)
        started = time.perf_counter()
        sampling = SamplingConfig(temperature=TEMPERATURE, length=size.length, seed=context.seed)
        sample = "".join(generate(network, corpus.vocabulary, sampling))
        sampling_speed = round(size.length / (time.perf_counter() - started))
        samples.append((f"{model}, temperature {TEMPERATURE}, seed {context.seed}", sample))
        rows += [
            {
                "cell": model.cell,
                "width": model.hidden_size,
                "parameters": network.parameter_count,
                **point,
                "sampling_chars_per_second": sampling_speed,
            }
            for point in points
        ]
    length = f"{size.minutes:g} minutes of training each" if size.minutes else f"{size.steps} steps each"
    dtype = str(dtype_of(config, context.device)).removeprefix("torch.")
    caption = (
        f"{describe_text(corpus)}. The curves show the static score of the first {size.curve_characters:,} held-out "
        f"characters, the legend that of all {len(ids):,}. The same for all networks: {LAYERS} layers with residual "
        f"connections, about {size.parameters:,} parameters, {length} (without scoring), optimizer {config.optimizer} "
        f"with learning rate {config.learning_rate:g} (attention: {ATTENTION_RATE:g}, and window {ATTENTION_WINDOW}), "
        f"batch size {config.batch_size}, sequence length {config.seq_length}, matrix products in {dtype}, "
        f"no dropout, seed {context.seed}. Measured on {describe_machine(context.device)}."
    )
    return LabResult(rows, table(rows, size), caption, draw(rows, size), samples)


def _train(context: LabContext, size: CellsSize, config: TrainingConfig, network: RecurrentModel) -> list[Row]:
    """Train a network, and return the points of its curve; time spent on scoring does not count."""
    corpus = context.require_corpus()
    streams = Streams(corpus.train.ids, config.batch_size, config.seq_length)
    training = Training(network, streams, corpus.validation[:0], config)  # this function does all the scoring
    points: list[Row] = []

    def add_point(seconds: float, is_last: bool) -> None:
        """Score the network in its present state."""
        ids = corpus.validation
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

    seconds = 0.0
    for number, planned, seconds in timed_steps(training, size.minutes):
        context.progress(f"{network.config}", number, planned)
        if (len(points) + 1) / size.points <= number / planned < 1:
            add_point(seconds, is_last=False)
    add_point(seconds, is_last=True)
    return points


def table(rows: Sequence[Row], _: CellsSize) -> list[list[str]]:
    """Return the table: a line for each cell, the best first."""
    lines = [
        ["cell", "hidden size", "parameters", "bits/char", "seconds", "steps", "training, chars/s", "sampling, chars/s"]
    ]
    last_points = [row for row in rows if row["bits_per_char"] is not None]
    for row in sorted(last_points, key=lambda row: row["bits_per_char"]):
        lines.append(
            [row["cell"], f"{row['width']}", f"{row['parameters']:,}", f"{row['bits_per_char']:.3f}"]
            + [f"{row['seconds']:.1f}", f"{row['steps']:,}"]
            + [f"{row[name]:,}" for name in ("chars_per_second", "sampling_chars_per_second")]
        )
    return lines


def draw(rows: Sequence[Row], _: CellsSize) -> Figure:
    """Draw the score of each cell by training time."""
    figure, axes = new_figure(7.2, 4.6)
    (ax,) = axes
    for cell in CELLS:
        seconds, bits, scores, widths = (
            column(rows, name, cell=cell) for name in ("seconds", "first_bits_per_char", "bits_per_char", "width")
        )
        ax.plot(seconds, bits, label=f"{cell} {LAYERS}x{widths[-1]}: {scores[-1]:.3f}", **line_style(cell))
    end = max(column(rows, "seconds"))
    # The first tenth of the time is left out of the scale, because all curves are steep there.
    late = [row["first_bits_per_char"] for row in rows if row["seconds"] >= 0.1 * end]
    low, high = min(late), float(np.max(late))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_xlim(0)
    set_title(ax, "Held-out text: bits per character (lower is better)")
    ax.set_xlabel("training time, seconds")

    add_legend(ax, "upper right")
    return figure
