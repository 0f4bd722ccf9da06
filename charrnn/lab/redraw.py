"""Redraw the charts of experiments from their CSV files, without running the experiments.

    python -m charrnn.lab.redraw FOLDER [NAME ...]

The measurements come from NAME.csv; the caption and the size of the experiment come from NAME.md.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from charrnn.lab.catalogue import EXPERIMENTS, load_experiment
from charrnn.lab.experiment import MARKER, Row, add_caption
from charrnn.report.figures import save


def redraw(folder: Path, name: str) -> Path:
    """Redraw NAME.png in a folder that has NAME.csv and NAME.md, as saved by `charrnn lab`; return its path."""
    command, _, caption = (folder / f"{name}.md").read_text(encoding="utf-8").partition(MARKER)[2].split("\n\n")[1:4]
    module = load_experiment(name)
    figure = module.draw(read_rows(folder / f"{name}.csv"), module.SIZES["quick" if " --quick" in command else "full"])
    add_caption(figure, caption.strip())
    path = folder / f"{name}.png"
    save(figure, path)
    return path


def read_rows(path: Path) -> list[Row]:
    """Read the measurements of an experiment from a CSV file; numbers are numbers, and empty cells are None."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _parse(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _parse(cell: str) -> str | int | float | None:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None


if __name__ == "__main__":
    for name in sys.argv[2:] or EXPERIMENTS:
        print(redraw(Path(sys.argv[1]), name))
