"""The gradient of the loss at step t with respect to the input at t−d, for each cell, before and after training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, column, describe_text, held_out, line_style, set_title
from charrnn.lab.networks import new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import add_legend, new_figure
from charrnn.scoring.evaluate import Score
from charrnn.scoring.probes.gradients import input_gradients
from charrnn.text.batches import Streams
from charrnn.training.budget.auto_config import suit_attention
from charrnn.training.loop import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("fresh", "trained")
SHOWN = (1, 10, 50, 100, 200)
"""Distances in the table."""
QUARTILES = ("lower_quartile", "median", "upper_quartile")
SMALL = 0.01
"""Ratio to the gradient at d = 0 below which a gradient counts as small."""
STRIDE = 8
"""Distance between the points of the shaded areas, to keep the file small."""


@dataclass(frozen=True)
class VanishingSize:
    """Settings of the experiment; results are reproducible with a seed.

    Attributes:
        width: hidden size of the single layer.
        steps: number of training steps.
        batch_size: number of parallel streams of text.
        seq_length: truncated-BPTT length in training, in characters.
        places: number of positions t that the median is taken over.
        furthest: longest distance d.
        warm_up: number of characters read before position t − furthest, so that the state is realistic.
    """

    width: int
    steps: int
    batch_size: int = 32
    seq_length: int = 128
    places: int = 512
    furthest: int = 200
    warm_up: int = 100


SIZES = {
    "tiny": VanishingSize(width=6, steps=2, batch_size=2, seq_length=8, places=3, furthest=6, warm_up=2),
    "quick": VanishingSize(width=128, steps=400),
    "full": VanishingSize(width=256, steps=2500, places=2048),
}


def run(context: LabContext, size: VanishingSize) -> LabResult:
    """Train a network of each cell, and compute gradients before and after.

    Raises:
        TextError: the text is too short.
    """
    corpus = context.require_corpus()
    ids = held_out(corpus, size.furthest + size.warm_up + 2)
    rng = np.random.default_rng(context.seed)
    places = rng.integers(size.furthest + size.warm_up, len(ids) - 1, size.places)
    rows: list[Row] = []
    scores = {}
    for cell in CELLS:
        config = ModelConfig(cell, 1, size.width, residual=False)
        network = new_network(config, len(corpus.vocabulary), context.seed, context.device)
        for stage in STAGES:
            if stage == "trained":
                scores[cell] = _train(context, size, network)
            progress = functools.partial(context.progress, f"{cell}, {stage}: gradients")
            norms = input_gradients(network, ids, places, size.furthest, size.warm_up, progress)
            rows += _quartiles(cell, stage, norms)
    caption = (
        f"Gradient norm ‖∂ loss at t / ∂ input at t−d‖: median of {size.places:,} positions t in the held-out part of "
        f"{describe_text(corpus)}; the quartiles are shaded. One layer with hidden size {size.width}, no residual "
        f"connection. Training: {size.steps:,} steps, batch size {size.batch_size}, sequence length {size.seq_length}, "
        f"seed {context.seed}."
    )
    table_note = (
        f"d=0: gradient norm; other d: ratio to the norm at d=0; < {SMALL:.0%} from: the distance from which the ratio "
        f"stays below {SMALL:.0%}; bits/char: score of the held-out part."
    )
    return LabResult(rows, _table(rows, scores, size.furthest), caption, draw(rows, size), table_note=table_note)


def _train(context: LabContext, size: VanishingSize, network: RecurrentModel) -> Score:
    """Train a network, and return the score of the held-out part."""
    config = TrainingConfig(
        steps=size.steps,
        batch_size=size.batch_size,
        seq_length=size.seq_length,
        validate_every=size.steps,
        precision="float32",
        seed=context.seed,
    )
    _, config = suit_attention(network.config, config)
    corpus, score = context.require_corpus(), None
    for step in train(network, Streams(corpus.train.ids, size.batch_size, size.seq_length), corpus.validation, config):
        context.progress(f"{network.config.cell}: training", step.number, size.steps)
        score = step.score
    assert score
    return score


def _quartiles(cell: str, stage: str, norms: NDArray[np.float64]) -> list[Row]:
    """Return a row for each distance."""
    rows: list[Row] = []
    for d, quartiles in enumerate(np.quantile(norms, (0.25, 0.5, 0.75), axis=0).T):
        rounded = [float(f"{value:.4g}") for value in quartiles]  # more digits than are significant
        rows.append({"cell": cell, "stage": stage, "distance": d, **dict(zip(QUARTILES, rounded, strict=True))})
    return rows


def _table(rows: Sequence[Row], scores: dict[str, Score], furthest: int) -> list[list[str]]:
    """Return the table: the median norm at d = 0, and its ratio at other distances."""
    shown = [d for d in SHOWN if d <= furthest]
    lines = [["cell", "d=0", *(f"d={d}" for d in shown), f"< {SMALL:.0%} from", "bits/char"]]
    for stage in STAGES:
        for cell in CELLS:
            medians = np.array(column(rows, "median", cell=cell, stage=stage))
            ratios = medians / medians[0]
            large = np.flatnonzero(ratios >= SMALL)
            first_small = f"{large[-1] + 1}" if large[-1] < furthest else f"> {furthest}"
            bits = f"{scores[cell].bits_per_char:.3f}" if stage == "trained" else ""
            ratios_shown = (f"{ratios[d]:.0e}" for d in shown)
            lines.append([f"{cell}, {stage}", f"{medians[0]:.2g}", *ratios_shown, first_small, bits])
    return lines


def draw(rows: Sequence[Row], _: VanishingSize) -> Figure:
    """Draw the median gradient norm by distance, with quartiles, before and after training."""
    figure, axes = new_figure(6.3, 3.8, columns=2)
    top = max(column(rows, "upper_quartile"))
    for ax, stage in zip(axes, STAGES, strict=True):
        for cell in CELLS:
            color = line_style(cell)["color"]
            x, low, middle, high = (column(rows, name, cell=cell, stage=stage) for name in ("distance", *QUARTILES))
            ax.fill_between(x[::STRIDE], low[::STRIDE], high[::STRIDE], color=color, alpha=0.18, linewidth=0)
            ax.plot(x, middle, color=color, label=cell, linewidth=1.6)
        ax.set_yscale("log")
        ax.set_ylim(1e-14, 3 * top)
        set_title(ax, {"fresh": "At initialization", "trained": "After training"}[stage])
        ax.set_xlabel("distance d, characters")
    axes[0].set_ylabel("gradient norm")
    add_legend(axes[0], "upper right")
    return figure
