"""The inputs and the result of any experiment, and the files that the result is saved to."""

from __future__ import annotations

import csv
import platform
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from charrnn.config import CELLS
from charrnn.errors import CharRNNError, TextError
from charrnn.files import atomic_write
from charrnn.formatting import plural
from charrnn.report.figures import INK, SERIES, save
from charrnn.text.corpus import Corpus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
ProgressCallback = Callable[[str, int, int], None]
"""A progress callback: (label of the current part, done, total)."""

MARKER = "<!-- `charrnn lab` overwrites everything below this line and keeps everything above. -->"
"""The line of a page between the text of its author and the generated table."""


@dataclass(frozen=True)
class LabContext:
    """The inputs of an experiment: a text (if the experiment reads one), a seed, a device and a progress callback."""

    corpus: Corpus | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: ProgressCallback = lambda label, done, total: None

    def require_corpus(self) -> Corpus:
        """Return the text of an experiment that reads one."""
        assert self.corpus is not None
        return self.corpus


@dataclass(frozen=True)
class LabResult:
    """The result of an experiment.

    Attributes:
        rows: all measurements; every row has the same columns.
        table: the table: first the headers, then the lines.
        caption: description of the measurement, printed below the chart.
        figure: the chart.
        samples: titles and texts of samples.
        table_note: explanation of the table's headers, if needed.
    """

    rows: Sequence[Row]
    table: Sequence[Sequence[str]]
    caption: str
    figure: Figure
    samples: Sequence[tuple[str, str]] = ()
    table_note: str = ""

    @property
    def text(self) -> str:
        """The caption and the table note."""
        return f"{self.caption} {self.table_note}".rstrip()


def column(rows: Sequence[Row], name: str, **where: object) -> list[Any]:
    """Return the values of a column, in order, in the rows with the given values in other columns."""
    return [row[name] for row in rows if all(row[other] == value for other, value in where.items())]


def line_style(cell: str) -> dict[str, Any]:
    """Return matplotlib's settings for the line of a cell, the same in all charts."""
    number = CELLS.index(cell) % len(SERIES)
    return {"color": SERIES[number], "marker": "os^vDPX"[number], "markersize": 4, "linewidth": 1.6}


def held_out(corpus: Corpus, minimum: int) -> NDArray[Any]:
    """Return the validation part of a text.

    Raises:
        TextError: the validation part has fewer than `minimum` characters.
    """
    ids = corpus.validation.ids
    if len(ids) < minimum:
        raise TextError(
            f"{corpus.source}: {plural(len(ids), 'held-out character')}, but {minimum:,} are needed; use a longer text"
        )
    return ids


def describe_text(corpus: Corpus) -> str:
    """Describe a text for a caption: name, length and split."""
    return f"{corpus.name} ({len(corpus):,} characters, split {corpus.split})"


def describe_machine(device: torch.device) -> str:
    """Describe the machine for a caption: threads and processor, or the GPU, and the version of PyTorch."""
    version = torch.__version__.partition("+")[0]
    if device.type == "cuda":
        return f"one {torch.cuda.get_device_name(device)}, PyTorch {version}"
    cpu_info, threads = Path("/proc/cpuinfo"), torch.get_num_threads()
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.is_file() else ()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{plural(threads, 'thread')} of {processor}, PyTorch {version}"


def set_title(axes: Axes, text: str) -> None:
    """Set the title of axes."""
    axes.set_title(text, loc="left", fontsize=11, color=INK)


def plain_numbers(axes: Axes, numbers: Sequence[int]) -> None:
    """Label exactly these numbers on a logarithmic x axis."""
    axes.set_xticks(list(numbers), [f"{number:,}" for number in numbers])
    axes.set_xticks([], minor=True)


def write(result: LabResult, folder: Path, name: str, command: str, machine: str) -> tuple[Path, ...]:
    """Save the chart with its caption (PNG and SVG), all measurements (CSV), and a page with the table (Markdown).

    If the page exists, everything above the marker is kept.

    Raises:
        CharRNNError: a file cannot be written.
    """
    paths = tuple(folder / f"{name}.{suffix}" for suffix in ("png", "svg", "csv", "md"))
    png, svg, table, page = paths
    add_caption(result.figure, result.caption)
    save(result.figure, png)
    save(result.figure, svg)
    try:
        with atomic_write(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(result.rows[0]))
            writer.writeheader()
            writer.writerows(result.rows)
        old = page.read_text(encoding="utf-8") if page.is_file() else f"# {name}\n\n![{name}]({png.name})\n\n{MARKER}"
        above, _, _ = old.partition(MARKER)
        with atomic_write(page) as temporary:
            text = f"{above.rstrip()}\n\n{MARKER}\n\n{markdown(result, command, machine)}"
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CharRNNError(
            f"{error.filename or folder}: cannot be written: {error.strerror}; choose another folder with --out"
        ) from error
    return paths


def add_caption(figure: Figure, caption: str) -> None:
    """Print a caption below a chart."""
    lines = textwrap.wrap(caption, int(17 * figure.get_figwidth()))  # 17 characters per inch
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7.5, color=INK)


def markdown(result: LabResult, command: str, machine: str) -> str:
    """Return the generated part of a page: command, machine, table, caption, table note and samples."""
    parts = [f"`{command}`, on {machine}:", markdown_table(result.table), result.caption]
    if result.table_note:
        parts.append(result.table_note)
    for title, text in result.samples:
        indented = textwrap.indent(text, "    ", lambda line: True)
        parts.append(f"{title}:\n\n{indented}")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Sequence[Sequence[str]]) -> str:
    """Format a table as Markdown; all columns except the first are right-aligned."""
    headers, *lines = table
    rule = ["---", *["--:"] * (len(headers) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *lines))
