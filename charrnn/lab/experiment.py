"""What an experiment is given and returns, and the files that are made of it; knows no experiment."""

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
"""Progress callback: (what is being done, done, total)."""

MARKER = "<!-- What follows is written by `charrnn lab`; what stands above stays. -->"


@dataclass(frozen=True)
class LabContext:
    """What an experiment works with: a text for those that read one, the seed of all that is drawn, and a device."""

    corpus: Corpus | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: ProgressCallback = lambda label, done, total: None

    def require_corpus(self) -> Corpus:
        """The text of an experiment that reads one."""
        assert self.corpus is not None
        return self.corpus


@dataclass(frozen=True)
class LabResult:
    """What came out.

    Attributes:
        rows: all figures, plain, each row with the same columns.
        table: what people read of them: the headers, then the lines.
        caption: what was measured, on what; `write` puts it below the picture.
        figure: the picture.
        samples: titles and texts that belong to it.
        table_note: what the headers of the table mean, where they do not speak for themselves.
    """

    rows: Sequence[Row]
    table: Sequence[Sequence[str]]
    caption: str
    figure: Figure
    samples: Sequence[tuple[str, str]] = ()
    table_note: str = ""

    @property
    def text(self) -> str:
        """Caption and table note."""
        return f"{self.caption} {self.table_note}".rstrip()


def column(rows: Sequence[Row], name: str, **where: object) -> list[Any]:
    """The values of a column in the rows that have certain values in other columns, in order."""
    return [row[name] for row in rows if all(row[other] == value for other, value in where.items())]


def line_style(cell: str) -> dict[str, Any]:
    """How matplotlib draws the line of a cell, the same in all pictures."""
    number = CELLS.index(cell) % len(SERIES)
    return {"color": SERIES[number], "marker": "os^vDPX"[number], "markersize": 4, "linewidth": 1.6}


def held_out(corpus: Corpus, minimum: int) -> NDArray[Any]:
    """The validation part of a text.

    Raises:
        TextError: it has fewer characters than are needed.
    """
    ids = corpus.validation.ids
    if len(ids) < minimum:
        raise TextError(
            f"{corpus.source}: has {len(ids):,} held-out characters, but {minimum:,} are needed; use a longer text"
        )
    return ids


def describe_text(corpus: Corpus) -> str:
    """The text of a caption, with its split."""
    return f"{corpus.name} ({len(corpus):,} characters, split {corpus.split})"


def describe_machine(device: torch.device) -> str:
    """The machine that a time was measured on: threads and processor, or the GPU, and the version of PyTorch."""
    version = torch.__version__.partition("+")[0]
    if device.type == "cuda":
        return f"one {torch.cuda.get_device_name(device)}, PyTorch {version}"
    cpu_info, threads = Path("/proc/cpuinfo"), torch.get_num_threads()
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.is_file() else ()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{plural(threads, 'thread')} of {processor}, PyTorch {version}"


def title(axes: Axes, text: str) -> None:
    """Name what some axes show."""
    axes.set_title(text, loc="left", fontsize=11, color=INK)


def plain_numbers(axes: Axes, numbers: Sequence[int]) -> None:
    """Mark the places of these numbers on a logarithmic axis of x, and no others."""
    axes.set_xticks(list(numbers), [f"{number:,}" for number in numbers])
    axes.set_xticks([], minor=True)


def write(result: LabResult, folder: Path, name: str, command: str, machine: str) -> tuple[Path, ...]:
    """Write an experiment's picture with its caption (PNG and SVG), its figures (CSV) and its page (Markdown).

    Where there is a page already, what stands above the marker in it stays.

    Raises:
        CharRNNError: a file cannot be written.
    """
    paths = tuple(folder / f"{name}.{suffix}" for suffix in ("png", "svg", "csv", "md"))
    png, svg, table, page = paths
    lines = textwrap.wrap(result.caption, int(17 * result.figure.get_figwidth()))  # 17 characters in an inch
    result.figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7.5, color=INK)
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
        raise CharRNNError(f"{error.filename or folder}: cannot be written: {error.strerror}; say --out") from error
    return paths


def markdown(result: LabResult, command: str, machine: str) -> str:
    """The table as Markdown, with the command and the machine."""
    headers, *lines = result.table
    rule = ["---", *["--:"] * (len(headers) - 1)]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *lines))
    parts = [f"`{command}`, on {machine}:", drawn, result.text]
    for title, text in result.samples:
        indented = textwrap.indent(text, "    ", lambda line: True)
        parts.append(f"{title}:\n\n{indented}")
    return "\n\n".join(parts) + "\n"
