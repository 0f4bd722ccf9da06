"""matplotlib figures in a common style, saved as files or embedded in a page as SVG; independent of the data.

matplotlib's global state is not changed. Embedded figures use the page's colors (CSS variables), in dark mode, too.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from charrnn.errors import CharRNNError, UsageError
from charrnn.files import atomic_write

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a4fbf")
"""Colors of lines, in order, distinguishable with color blindness (after Okabe and Ito 2008)."""
INK, GRID, PAPER = "#1a1a1b", "#d5d5d6", "#fefefd"
"""Colors of text and axes, of grid lines, and of the background; nothing else may use exactly these colors."""
DPI = 150
SUFFIXES = (".png", ".svg")
COLORS = 255
"""Number of colors of a PNG file."""


def check_matplotlib() -> None:
    """Raise UsageError if matplotlib is not installed."""
    if not importlib.util.find_spec("matplotlib"):
        raise UsageError("pictures need matplotlib; try `pip install matplotlib`")


def new_figure(
    width: float = 7.0,
    height: float = 4.0,
    columns: int = 1,
    rows: int = 1,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Create an empty figure.

    Args:
        width: width in inches.
        height: height in inches.
        columns: number of columns of axes.
        rows: number of rows of axes.
        height_ratios: relative height of each row (default: all the same).

    Returns:
        The figure, and its axes, row by row.

    Raises:
        UsageError: matplotlib is not installed.
    """
    # matplotlib warns if it cannot write to its cache folder, and then uses a temporary one.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=height_ratios)
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
"""matplotlib settings for creating axes; lines get their colors from SERIES explicitly."""


def add_legend(
    axes: Axes,
    location: Literal["best", "upper right", "upper left", "lower left", "lower right", "center left"] = "best",
) -> None:
    """Add a legend in the common style."""
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc=location)


def save(figure: Figure, path: Path) -> None:
    """Save a figure as PNG or SVG, by the suffix of the file name.

    Raises:
        UsageError: the suffix is neither .png nor .svg.
        CharRNNError: the file cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: unknown picture format; use a name that ends in {' or '.join(SUFFIXES)}")
    try:
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}  # equal figures, equal files
        with atomic_write(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
            figure.savefig(temporary, format=path.suffix[1:], dpi=DPI, metadata=metadata)
        if path.suffix == ".png":
            _reduce_colors(path)
    except OSError as error:
        raise CharRNNError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error


def _reduce_colors(path: Path) -> None:
    """Give a PNG file a palette, which makes it less than half as large."""
    from PIL import Image

    with Image.open(path) as image:
        reduced = image.convert("RGB").quantize(COLORS)
    with atomic_write(path) as temporary:
        reduced.save(temporary, format="PNG", optimize=True)


def to_svg(figure: Figure, title: str, name: str) -> Markup:
    """Convert a figure to an SVG element that uses the page's colors and fills the available width.

    Args:
        figure: a figure drawn in INK, GRID, PAPER and SERIES.
        title: description for screen readers.
        name: prefix of all ids, unique in the page; letters and digits.

    Returns:
        `<svg ...>...</svg>` with one <style> element and no style attributes. The colors are the CSS variables --ink,
        --grid, --paper, --series-1, ....
    """
    from markupsafe import Markup, escape
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style).*?</\1>|<!--.*?-->|<defs>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # smaller: a hundredth of a point is invisible
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text, rules = _with_classes(text, name)
    series = {f"series-{number}": color for number, color in enumerate(SERIES, 1)}
    for variable, color in {"ink": INK, "grid": GRID, "paper": PAPER, **series}.items():
        rules = rules.replace(color, f"var(--{variable}, {color})")
    head, _, rest = text.partition(">")
    head = re.sub(r' (width|height|xmlns\S*|version)="[^"]*"', "", head)
    head += f' id="{name}" class="figure" role="img" aria-label="{escape(title)}"'
    return Markup(f"{head}><style>{rules}</style>{rest.strip()}")


def _with_classes(text: str, name: str) -> tuple[str, str]:
    """Replace style attributes, which the page's policy forbids, by classes; fonts become the page's.

    Returns:
        The element, and the CSS rules of its classes.
    """
    classes: dict[str, str] = {}

    def class_of(match: re.Match[str]) -> str:
        style = re.sub(r"font: (?:\S+ )*?([0-9.]+)px [^;]*", r"font-size: \1px", match[1].strip().rstrip(";"))
        style = re.sub(r"font-family: [^;]*;? ?", "", style)
        return f' class="{classes.setdefault(style, f"{name}-s{len(classes)}")}"'

    text = re.sub(r' style="([^"]*)"', class_of, text)
    rules = "".join(f".{class_}{{{style}}}" for style, class_ in classes.items())
    return text, f":where(#{name} *){{stroke-linejoin:round;stroke-linecap:butt}}{rules}"
