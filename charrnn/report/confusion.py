"""The picture of a confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from charrnn.report.figures import INK, PAPER, SERIES, new_figure
from charrnn.text.sanitize import escape_control_chars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from charrnn.scoring.confusion import ConfusionMatrix

MAX_NUMBERED = 30
"""The largest number of classes whose cells have numbers."""
CELL = 0.27
"""The size of a cell in inches."""
MAX_LABEL = 24
"""The largest number of characters of a class that are shown."""


def confusion_figure(matrix: ConfusionMatrix, title: str) -> Figure:
    """Draw a confusion matrix.

    Raises:
        UsageError: matplotlib is not installed.
    """
    rows, columns = matrix.counts.shape
    figure, (axes,) = new_figure(max(3.2, 1.6 + CELL * columns), max(2.4, 1.7 + CELL * rows))
    draw_confusion(axes, matrix)
    axes.set_title(title, loc="left", fontsize=10, color=INK, parse_math=False)
    return figure


def draw_confusion(axes: Axes, matrix: ConfusionMatrix) -> None:
    """Draw a confusion matrix on axes: a cell is the darker, the larger its share of the lines of its row."""
    from matplotlib.colors import LinearSegmentedColormap

    counts = matrix.counts
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    shading = LinearSegmentedColormap.from_list("confusion", (PAPER, SERIES[0]))
    axes.pcolormesh(shares, cmap=shading, vmin=0, vmax=1)
    columns, rows = ([_label(name) for name in names] for names in (matrix.columns, matrix.classes))
    axes.set_xticks(np.arange(counts.shape[1]) + 0.5, columns, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(np.arange(len(counts)) + 0.5, rows, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_xlabel("predicted")
    axes.set_ylabel("expected")
    if max(counts.shape) <= MAX_NUMBERED:
        for (row, column), lines in np.ndenumerate(counts):
            if lines:
                color = PAPER if shares[row, column] > 0.5 else INK
                axes.text(column + 0.5, row + 0.5, f"{lines}", color=color, fontsize=7, ha="center", va="center")


def _label(name: str) -> str:
    """Return the name of a class on one short line; an empty one in quotes."""
    shown = " ".join(escape_control_chars(name).split()) or "''"
    return shown if len(shown) <= MAX_LABEL else f"{shown[: MAX_LABEL - 1]}…"
