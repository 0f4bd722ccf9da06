"""The gradient of the loss at step t as to the input at t−d, for each cell, fresh and trained: the lecture's curve."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, column, describe_text, held_out, line_style, title
from charrnn.lab.networks import new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import legend, new_figure
from charrnn.scoring.evaluate import Score
from charrnn.scoring.probes.gradients import input_gradients
from charrnn.text.batches import Streams
from charrnn.training.loop import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("fresh", "trained")
SHOWN = (1, 10, 50, 100, 200)
"""Distances of the table."""
QUARTILES = ("lower_quartile", "median", "upper_quartile")
FAINT = 0.01
"""Share of the gradient at d = 0 below which the table calls a gradient gone."""
EVERY = 8
"""Distances between the places that the edges of the shaded parts go through."""


@dataclass(frozen=True)
class VanishingSize:
    """How large the experiment is; fixed, so that a seed gives one result.

    Attributes:
        width: units of the one layer.
        steps: of training.
        batch_size: streams.
        seq_length: characters that gradients flow through in training.
        places: how many t the medians are over.
        furthest: the largest d.
        warm_up: characters before that, which fill the state.
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
    """Train a network of each cell, and take the gradients before and after.

    Raises:
        TextError: the text is too short.
    """
    corpus = context.require_corpus()
    ids = held_out(corpus, size.furthest + size.warm_up + 2)
    drawn = np.random.default_rng(context.seed)
    places = drawn.integers(size.furthest + size.warm_up, len(ids) - 1, size.places)
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
    description = (
        f"‖∂ loss at t / ∂ input at t−d‖: median of {size.places:,} places of the held-out part of "
        f"{describe_text(corpus)}, quartiles shaded. One layer of {size.width}, no residual connection; trained: "
        f"{size.steps:,} steps of {size.batch_size} x {size.seq_length} characters, seed {context.seed}."
    )
    return LabResult(rows, _table(rows, scores, size.furthest), description, _draw(rows))


def _train(context: LabContext, size: VanishingSize, network: RecurrentModel) -> Score:
    """The score of the held-out part, in a full pass."""
    config = TrainingConfig(
        steps=size.steps,
        batch_size=size.batch_size,
        seq_length=size.seq_length,
        validate_every=size.steps,
        precision="float32",
        seed=context.seed,
    )
    corpus, score = context.require_corpus(), None
    for step in train(network, Streams(corpus.train.ids, size.batch_size, size.seq_length), corpus.validation, config):
        context.progress(f"{network.config.cell}: training", step.number, size.steps)
        score = step.score
    assert score
    return score


def _quartiles(cell: str, stage: str, norms: NDArray[np.float64]) -> list[Row]:
    """A row for each distance."""
    rows: list[Row] = []
    for d, quartiles in enumerate(np.quantile(norms, (0.25, 0.5, 0.75), axis=0).T):
        rounded = [float(f"{value:.4g}") for value in quartiles]  # four digits, which is more than is known
        rows.append({"cell": cell, "stage": stage, "distance": d, **dict(zip(QUARTILES, rounded, strict=True))})
    return rows


def _table(rows: Sequence[Row], scores: dict[str, Score], furthest: int) -> list[list[str]]:
    """The medians as shares of the one at d = 0."""
    shown = [d for d in SHOWN if d <= furthest]
    table = [["cell", "d=0", *(f"d={d}" for d in shown), f"{FAINT:.0%} at d", "bits/char"]]
    for stage in STAGES:
        for cell in CELLS:
            medians = np.array(column(rows, "median", cell=cell, stage=stage))
            shares = medians / medians[0]
            loud = np.flatnonzero(shares >= FAINT)
            faint = f"{loud[-1] + 1}" if loud[-1] < furthest else f"> {furthest}"
            bits = f"{scores[cell].bits_per_char:.3f}" if stage == "trained" else ""
            table.append([f"{cell}, {stage}", f"{medians[0]:.2g}", *(f"{shares[d]:.0e}" for d in shown), faint, bits])
    return table


def _draw(rows: Sequence[Row]) -> Figure:
    figure, axes = new_figure(6.3, 3.8, columns=2)
    top = max(column(rows, "upper_quartile"))
    for ax, stage in zip(axes, STAGES, strict=True):
        for cell in CELLS:
            color = line_style(cell)["color"]
            x, low, middle, high = (column(rows, name, cell=cell, stage=stage) for name in ("distance", *QUARTILES))
            ax.fill_between(x[::EVERY], low[::EVERY], high[::EVERY], color=color, alpha=0.18, linewidth=0)
            ax.plot(x, middle, color=color, label=cell, linewidth=1.6)
        ax.set_yscale("log")
        ax.set_ylim(1e-14, 3 * top)
        title(ax, {"fresh": "at initialisation", "trained": "after training"}[stage])
        ax.set_xlabel("d, characters back")
    axes[0].set_ylabel("norm of the gradient")
    legend(axes[0], "upper right")
    return figure
