"""The charts of the report, as SVG: training, attention, states and gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from charrnn.report.figures import GRID, INK, SERIES, add_legend, new_figure, to_svg
from charrnn.scoring.probes.attention import HeadWeights
from charrnn.scoring.probes.gates import OPEN, SHUT, Saturation
from charrnn.scoring.probes.states import CLASSES, Plane
from charrnn.training.monitor.history import Record

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 4.7
"""Width of a figure in inches; about that of a phone, so that the text is readable there."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Shapes of points, because color alone is not accessible."""
CLASS_SERIES = (0, 1, 4, 3, 2, 6)
"""Color of each class of characters, as an index of SERIES."""


def training_picture(records: Sequence[Record]) -> Markup:
    """Draw the bits per character of training and validation by step, and the learning rate below."""
    figure, (losses, rates) = new_figure(WIDTH, 3.9, rows=2)
    grid = losses.get_gridspec()
    if grid:
        grid.set_height_ratios((3, 1))
    networks = sorted({record.network for record in records})
    for network in networks:
        chosen = [record for record in records if record.network == network]
        suffix = f", network {network}" if len(networks) > 1 else ""
        color = SERIES[(network - 1) % len(SERIES)]
        steps = [record.step for record in chosen if record.loss is not None]
        bits = [record.loss / math.log(2) for record in chosen if record.loss is not None]
        losses.plot(steps, bits, color=color, linewidth=1.2, label=f"training{suffix}")
        scored = [record for record in chosen if record.bits_per_char is not None]
        if scored:
            losses.plot(
                [record.step for record in scored], [float(record.bits_per_char or 0) for record in scored],
                color=SERIES[1] if len(networks) == 1 else color, linewidth=1.2, linestyle="--",
                marker=MARKERS[(network - 1) % len(MARKERS)], markersize=4, label=f"validation{suffix}",
            )  # fmt: skip
        rates.plot(
            [record.step for record in chosen], [record.learning_rate for record in chosen], color=color, linewidth=1.2
        )
    losses.set_ylabel("bits per character")
    losses.tick_params(labelbottom=False)
    rates.set_xlim(losses.get_xlim())
    rates.set_ylim(bottom=0)
    rates.set_ylabel("learning rate")
    rates.set_xlabel("step")
    if len(networks) <= 3:
        add_legend(losses, "upper right")
    title = "Line charts by training step: bits per character of training and validation; learning rate"
    return to_svg(figure, title, "curve")


def distance_ranges(furthest: int) -> list[int]:
    """Return where ranges of distances from 1 to `furthest` begin, two for each doubling: 1, 2, 3, 4, 6, 8, 12, ..."""
    doublings = range(1, furthest.bit_length())
    return [1, *(begin for k in doublings for begin in (1 << k, 3 << k >> 1) if begin <= furthest)]


def attention_picture(layer: HeadWeights) -> Markup:
    """Draw the share of each head's weight by distance, a row of bars for each head, and that of an even look."""
    begins = distance_ranges(layer.by_distance.shape[1])
    shares = np.add.reduceat(layer.by_distance, np.array(begins) - 1, axis=1)
    figure, rows = new_figure(WIDTH, 0.9 + 0.42 * layer.heads, rows=layer.heads)
    top, edges = shares.max() or 1, np.arange(len(begins) + 1) - 0.5
    for number, (axes, row) in enumerate(zip(rows, shares[:-1], strict=True), 1):
        axes.stairs(row, edges, fill=True, color=SERIES[0])
        axes.stairs(shares[-1], edges, color=INK, linestyle=":", linewidth=0.9)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, top), yticks=(0, top), yticklabels=("", f"{top:.0%}"))
        axes.set_xticks(range(len(row)), [str(begin) for begin in begins] if number == layer.heads else [], fontsize=8)
        axes.tick_params(axis="both", length=0, labelsize=8)
        axes.grid(visible=False)
        axes.set_ylabel(f"head {number}", rotation=0, ha="right", va="center", fontsize=9)
    rows[-1].set_xlabel("distance in characters")
    title = f"Bar charts of layer {layer.layer}: share of each head's weight by distance"
    return to_svg(figure, title, f"attention{layer.layer}")


def plane_picture(plane: Plane, classes: Sequence[str], path: int) -> Markup:
    """Draw states as points, colored by the class of the last character; a line connects the first `path` points."""
    figure, (axes,) = new_figure(WIDTH, 4.4)
    x, y = plane.points[: len(classes)].T
    axes.plot(x[:path], y[:path], color=INK, linewidth=0.7, alpha=0.5, zorder=3)
    axes.plot(x[:1], y[:1], color=INK, marker="o", markersize=7, fillstyle="none", linestyle="", zorder=4)
    for number, name in enumerate(CLASSES):
        chosen = np.array(classes) == name
        if chosen.any():
            axes.plot(
                x[chosen], y[chosen], color=SERIES[CLASS_SERIES[number]], marker=MARKERS[number % len(MARKERS)],
                markersize=2.6, markeredgewidth=0, linestyle="", label=name, zorder=2,
            )  # fmt: skip
    axes.set_xlabel(f"first component ({100 * plane.share[0]:.0f}% of the variance)")
    axes.set_ylabel(f"second component ({100 * plane.share[1]:.0f}%)")
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    figure.legend(
        frameon=False, labelcolor=INK, fontsize=9, loc="outside lower center", ncols=3, markerscale=2, columnspacing=1.2
    )
    title = "Scatter plot: outputs of the top layer along their first two principal components, by class of character"
    return to_svg(figure, title, "plane")


def gate_pictures(gates: Sequence[Saturation]) -> list[Markup]:
    """Draw, for each gate, how often it is shut and open: a point for each unit, a color for each layer."""
    pictures = []
    for number, name in enumerate(dict.fromkeys(gate.gate for gate in gates)):
        figure, (axes,) = new_figure(3.1, 3.3)
        chosen = [gate for gate in gates if gate.gate == name]
        axes.plot([0, 1], [1, 0], color=GRID, linewidth=0.8)
        for gate in chosen:
            axes.plot(
                gate.left, gate.right, color=SERIES[(gate.layer - 1) % len(SERIES)], label=f"layer {gate.layer}",
                marker=MARKERS[(gate.layer - 1) % len(MARKERS)], markersize=3.6, markeredgewidth=0, alpha=0.75,
                linestyle="",
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        low, high = (f"below −{OPEN}", f"above {OPEN}") if name == "state" else (f"shut (< {SHUT})", f"open (> {OPEN})")
        axes.set_xlabel(f"share of characters {low}")
        axes.set_ylabel(f"share of characters {high}")
        axes.set_title(name, loc="left")
        if len(chosen) > 1:
            add_legend(axes, "upper right")
        title = f"Scatter plot, {name}: share of characters {low} and {high}, by unit and layer"
        pictures.append(to_svg(figure, title, f"gate{number}"))
    return pictures
