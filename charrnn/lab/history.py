"""From a state of fixed size to attention: lines whose target needs the whole source, for five networks.

The source is read into a state of fixed size (Sutskever et al. 2014, arXiv 1409.3215), reversed or not, or stays in
sight of attention (Bahdanau et al. 2015, arXiv 1409.0473; Vaswani et al. 2017, arXiv 1706.03762).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import TrainingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, describe_machine, line_style, set_title
from charrnn.lab.line_tasks import LETTERS, TASKS, Line, same_meanings
from charrnn.lab.networks import config_of_size, new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import INK, SERIES, add_legend, new_figure
from charrnn.text.batches import IGNORE_INDEX
from charrnn.training.budget.auto_config import suit_attention
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import reuse_freed_memory, take_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHARACTERS = f"\n\t ,-0123456789{LETTERS}{LETTERS.upper()}"
IDS = {character: number for number, character in enumerate(CHARACTERS)}
END = IDS["\n"]
LAYERS = 2
WARMUP = 0.05
"""Fraction of the training time during which the learning rate rises."""
MIN_PART = 100
"""The reciprocal of the smallest part of the test lines that a range of source lengths must have to be shown."""
TEST_ROWS = 64
"""Batch size of the test."""


@dataclass(frozen=True)
class Kind:
    """A network of the comparison: its cells, whether it reads the source backwards, and the cell of its line style."""

    cell: str
    is_reversed: bool
    style: str


NETWORKS = {
    "rnn": Kind("rnn", False, "rnn"),
    "lstm": Kind("lstm", False, "lstm"),
    "lstm, source reversed": Kind("lstm", True, "gru"),
    "lstm with attention": Kind("lstm,attention", False, "minlstm"),
    "attention": Kind("attention", False, "attention"),
}
PLANES = ("lstm", "lstm, source reversed")
"""The networks whose states are drawn."""


@dataclass(frozen=True)
class HistorySize:
    """Settings of the experiment.

    Attributes:
        tasks: names of the tasks.
        parameters: approximate number of parameters of each network.
        minutes: training time of each network for each task; None to use `steps`.
        steps: number of training steps instead of minutes, for reproducible results.
        seeds: number of networks of each kind for each task, each with another seed.
        tests: number of test lines for each task.
        batch_size: number of lines in a training step.
    """

    tasks: tuple[str, ...]
    parameters: int
    minutes: float | None
    steps: int = 0
    seeds: int = 1
    tests: int = 2000
    batch_size: int = 64


SIZES = {
    "tiny": HistorySize(("backwards", "translation"), 100_000, None, steps=2, seeds=2, tests=40, batch_size=4),
    "quick": HistorySize(("numbers", "translation"), 150_000, 0.35, tests=1000),
    "full": HistorySize(tuple(TASKS), 300_000, 0.75, seeds=2),
}


def run(context: LabContext, size: HistorySize) -> LabResult:
    """Train each network on each task, and test it on lines of all lengths."""
    rows: list[Row] = []
    seeds = range(context.seed, context.seed + size.seeds)
    for task in size.tasks:
        for name, seed in itertools.product(NETWORKS, seeds):
            kind = NETWORKS[name]
            config = config_of_size(kind.cell, LAYERS, len(CHARACTERS), size.parameters)
            network = new_network(config, len(CHARACTERS), seed, context.device)
            steps = _train(context, size, task, name, network, seed)
            shared = {"task": task, "network": name, "seed": seed, "parameters": network.parameter_count}
            shared["steps"] = steps
            rows += [{**shared, **row} for row in measure(context, size, task, kind, network)]
            if task == "translation" and name in PLANES and seed == context.seed:
                rows += [{**shared, **row} for row in plane(network, kind)]
    length = f"{size.minutes:g} min of training each" if size.minutes else f"{size.steps} steps each"
    per_seed = f"a line for each seed, {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {context.seed}"
    caption = (
        f"Share of lines whose whole target is right, by length of the source, on {size.tests:,} new lines of each "
        f"task. {LAYERS} layers, about {size.parameters:,} parameters, {length}, batch size {size.batch_size}, loss of "
        f"the targets only; {per_seed}; ranges with fewer than {size.tests // MIN_PART} lines are left out. Planes: "
        f"the states after the source, in the plane of their two largest principal components; a color is a meaning, "
        f"and a filled mark the active voice. Measured on {describe_machine(context.device)}."
    )
    return LabResult(rows, table(rows, size), caption, draw(rows, size))


def encoded(lines: Sequence[Line], is_reversed: bool) -> tuple[Tensor, Tensor]:
    """Return the inputs and targets of lines, each (rows, length) int64.

    A row is a line end, the source, a tab, the target and a line end; the targets are IGNORE_INDEX before the target
    and after its line end.
    """
    length = max(len(source) + len(target) for source, target in lines) + 3
    rows = np.full((len(lines), length), END)
    targets = np.full((len(lines), length), IGNORE_INDEX)
    for row, (source, target) in enumerate(lines):
        before = f"\n{source[::-1] if is_reversed else source}\t"
        ids = [IDS[character] for character in f"{before}{target}\n"]
        rows[row, : len(ids)] = ids
        targets[row, len(before) : len(ids)] = ids[len(before) :]
    return torch.from_numpy(rows[:, :-1]), torch.from_numpy(targets[:, 1:])


def _train(context: LabContext, size: HistorySize, task: str, name: str, network: RecurrentModel, seed: int) -> int:
    """Train a network for the time or the number of steps, and return the number of steps.

    All lines of a step have the same size, drawn uniformly. The learning rate, with attention that of `--minutes`,
    rises and falls with the time.
    """
    _, config = suit_attention(network.config, TrainingConfig())
    kind = NETWORKS[name]
    optimizer = ModelOptimizer(network, config, dtype_of(config, network.device))
    rng = np.random.default_rng([seed, 0])
    network.train()
    number, started, done = 0, time.perf_counter(), 0.0
    with reuse_freed_memory():
        while done < 1:
            draw, lines_size = TASKS[task].draw, int(rng.integers(TASKS[task].sizes)) + 1
            batch = encoded([draw(rng, lines_size) for _ in range(size.batch_size)], kind.is_reversed)
            rate = config.learning_rate * min(1.0, done / WARMUP + 0.01) * (1 + math.cos(math.pi * done)) / 2
            loss, _ = take_step(optimizer, batch, None, rate)
            loss.item()  # wait for the device
            number += 1
            seconds = time.perf_counter() - started
            done = seconds / (60 * size.minutes) if size.minutes else number / size.steps
            context.progress(f"{task}, {name}, seed {seed}", number, max(number, round(number / done)))
    network.eval()
    return number


@torch.no_grad()
def measure(context: LabContext, size: HistorySize, task: str, kind: Kind, network: RecurrentModel) -> list[Row]:
    """Return the share of right lines for each range of source lengths.

    A line is right if the likeliest character at each position is the target's; then writing the likeliest character
    again and again writes the target.
    """
    rng = np.random.default_rng([context.seed, 1])
    sizes, width = TASKS[task].sizes, TASKS[task].width
    lines = [TASKS[task].draw(rng, 1 + number % sizes) for number in range(size.tests)]
    lines.sort(key=lambda line: len(line[0]))
    right: list[NDArray[np.bool_]] = []
    for begin in range(0, len(lines), TEST_ROWS):
        inputs, targets = encoded(lines[begin : begin + TEST_ROWS], kind.is_reversed)
        answers = network(inputs)[0].argmax(-1).cpu()
        right.append(((answers == targets) | (targets == IGNORE_INDEX)).all(-1).numpy())
    lengths = np.array([len(source) // width * width for source, _ in lines])
    is_right = np.concatenate(right)
    return [
        {
            "length": int(length),
            "lines": int((lengths == length).sum()),
            "accuracy": float(is_right[lengths == length].mean()),
            "phrase": None,
            "meaning": None,
            "x": None,
            "y": None,
        }
        for length in np.unique(lengths)
    ]


@torch.no_grad()
def plane(network: RecurrentModel, kind: Kind) -> list[Row]:
    """Return the coordinates of the states after sentences in the plane of their two largest principal components."""
    lines = same_meanings()
    states = []
    for source, _ in lines:
        tokens, _ = encoded([(source, "")], kind.is_reversed)
        states.append(torch.cat(network(tokens[:, : len(source) + 2])[1], 1)[0].double().cpu())
    centered = torch.stack(states)
    centered = centered - centered.mean(0)
    u, s, _ = torch.linalg.svd(centered, full_matrices=False)
    return [
        {
            "length": None,
            "lines": None,
            "accuracy": None,
            "phrase": source,
            "meaning": target,
            "x": float(f"{x:.4g}"),
            "y": float(f"{y:.4g}"),
        }
        for (source, target), (x, y) in zip(lines, (u[:, :2] * s[:2]).tolist(), strict=True)
    ]


def table(rows: Sequence[Row], size: HistorySize) -> list[list[str]]:
    """Return the table: the accuracy of each network on each task, on all, the shortest and the longest sources."""
    lines = [["task, network", "seed", "parameters", "steps", "right lines", "shortest", "longest"]]
    for task, name in itertools.product(size.tasks, NETWORKS):
        for seed, own in by_seed(rows, task, name).items():
            total = sum(row["lines"] * row["accuracy"] for row in own) / sum(row["lines"] for row in own)
            ranges = well_measured(own, size)
            shown = (total, ranges[0]["accuracy"], ranges[-1]["accuracy"])
            lines.append(
                [f"{task}, {name}", f"{seed}", f"{own[0]['parameters']:,}", f"{own[0]['steps']:,}"]
                + [f"{share:.1%}" for share in shown]
            )
    return lines


def by_seed(rows: Sequence[Row], task: str, name: str) -> dict[int, list[Row]]:
    """Return the accuracies of a network on a task, by seed."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row["task"] == task and row["network"] == name and row["lines"]:
            found.setdefault(row["seed"], []).append(row)
    return found


def well_measured(rows: Sequence[Row], size: HistorySize) -> list[Row]:
    """Return the ranges of source lengths that have enough test lines."""
    return [row for row in rows if row["lines"] >= size.tests // MIN_PART]


def draw(rows: Sequence[Row], size: HistorySize) -> Figure:
    """Draw the accuracy by length of the source for each task, and the planes."""
    planes = PLANES if "translation" in size.tasks else ()
    columns = (len(size.tasks) + len(planes) + 1) // 2
    figure, axes = new_figure(3.6 * columns, 6.8, columns=columns, rows=2)
    for ax, task in zip(axes, size.tasks, strict=False):
        for name, kind in NETWORKS.items():
            for number, all_ranges in enumerate(by_seed(rows, task, name).values()):
                own = well_measured(all_ranges, size)
                middle = [row["length"] + TASKS[task].width / 2 for row in own]
                label = "" if number else name
                ax.plot(middle, [100 * row["accuracy"] for row in own], label=label, **line_style(kind.style))
        ax.set_ylim(-3, 103)
        ax.set_xlim(left=0)
        set_title(ax, TASKS[task].description)
        ax.set_xlabel("length of the source, characters")
        ax.set_ylabel("right lines, %")
    # All networks but one are right about dates, so there is room for the legend.
    add_legend(axes[size.tasks.index("dates")] if "dates" in size.tasks else axes[0], "center left")
    for ax, name in zip(axes[len(size.tasks) :], planes, strict=False):
        _draw_plane(ax, rows, name)
    for ax in axes[len(size.tasks) + len(planes) :]:
        ax.set_axis_off()
    return figure


def _draw_plane(ax: Axes, rows: Sequence[Row], name: str) -> None:
    """Draw the states after sentences, in a color for each meaning."""
    points = [row for row in rows if row["network"] == name and row["phrase"]]
    meanings = list(dict.fromkeys(row["meaning"] for row in points))
    for color, meaning in zip(SERIES, meanings, strict=False):
        for row in _of_meaning(points, meaning):
            is_passive = " by " in row["phrase"]
            face = "none" if is_passive else color
            ax.plot(row["x"], row["y"], "o", color=color, markerfacecolor=face, markersize=7)
        first = _of_meaning(points, meaning)[0]
        ax.plot([], [], "o", color=color, label=first["phrase"])
    set_title(ax, f"states: {name}")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.legend(frameon=False, labelcolor=INK, fontsize=7, loc="best")


def _of_meaning(points: Sequence[Row], meaning: str) -> list[Row]:
    """Return the rows with a meaning."""
    return [row for row in points if row["meaning"] == meaning]
