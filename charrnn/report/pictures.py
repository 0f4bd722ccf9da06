"""Figures in one style, as files and as SVG inside a page; knows matplotlib, not what is drawn.

No global state of matplotlib is touched, so that a program that draws with it elsewhere is not disturbed. In a page,
text and lines have the colours of the page (CSS variables), which a dark one sets otherwise.
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from charrnn.errors import CharRNNError, UsageError
from charrnn.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a4fbf")
"""Colours of the lines of a figure, in this order: told apart by the colour-blind (after Okabe and Ito 2008)."""
INK, GRID, PAPER = "#1a1a1b", "#d5d5d6", "#fefefd"
"""Of text and axes, of the lines behind, and of the ground. Nothing else is drawn in exactly these."""
Place = Literal["best", "upper right", "upper left", "lower left", "lower right", "outside right upper"]
"""Of a legend."""
DPI = 150
SUFFIXES = (".png", ".svg")


def new_figure(width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure.

    Args:
        width: in inches.
        height: in inches.
        columns: of axes beside each other.
        rows: of axes below each other.

    Returns:
        The figure, and its axes row by row.

    Raises:
        UsageError: matplotlib is not installed.
    """
    # Where its cache folder cannot be written, matplotlib warns of that, and makes a temporary one.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures need matplotlib; try `pip install matplotlib`") from error
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
"""matplotlib's settings while axes are made; lines take their colours from SERIES by hand."""


def legend(axes: Axes, place: Place = "best") -> None:
    """The names of the lines of some axes, in the style of the rest."""
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc=place)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a file, PNG or SVG by the end of its name.

    Raises:
        UsageError: the name ends otherwise.
        CharRNNError: the file cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: pictures are written as {' or '.join(SUFFIXES)}; say such a name")
    try:
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}  # same figure, same file
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=DPI, metadata=metadata)
    except OSError as error:
        raise CharRNNError(f"{path}: cannot be written: {error.strerror}; say another place") from error


def svg(figure: Figure, title: str, name: str) -> str:
    """A figure as an SVG element for a page, in the page's colours; it takes the width there is.

    Args:
        figure: any, drawn with the colours above.
        title: what a screen reader says instead of the picture.
        name: of letters and digits, another one for each picture of a page, since identifiers are made of it.

    Returns:
        `<svg ...>...</svg>` with one <style> in it and no style attributes. CSS variables --ink, --grid, --paper and
        --series-1 ... set the colours.
    """
    from html import escape

    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style).*?</\1>|<!--.*?-->|<defs>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # a hundredth of a point is not seen
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text, rules = _with_classes(text, name)
    for variable, colour in (
        ("ink", INK),
        ("grid", GRID),
        ("paper", PAPER),
        *((f"series-{number}", colour) for number, colour in enumerate(SERIES, 1)),
    ):
        rules = rules.replace(colour, f"var(--{variable}, {colour})")
    head, _, rest = text.partition(">")
    head = re.sub(r' (width|height|xmlns\S*|version)="[^"]*"', "", head)
    label = escape(title)
    return f'{head} id="{name}" class="figure" role="img" aria-label="{label}"><style>{rules}</style>{rest.strip()}'


def _with_classes(text: str, name: str) -> tuple[str, str]:
    """The styles of elements as classes, and their rules: a page with a strict policy takes no style attributes.

    Fonts are the page's; their sizes stay.
    """
    known: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        style = re.sub(r"font: (?:\S+ )*?([0-9.]+)px [^;]*", r"font-size: \1px", match[1].strip().rstrip(";"))
        style = re.sub(r"font-family: [^;]*;? ?", "", style)
        return f' class="{known.setdefault(style, f"{name}-s{len(known)}")}"'

    text = re.sub(r' style="([^"]*)"', named, text)
    rules = "".join(f".{class_}{{{style}}}" for style, class_ in known.items())
    return text, f":where(#{name} *){{stroke-linejoin:round;stroke-linecap:butt}}{rules}"
