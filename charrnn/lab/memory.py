"""Recall after d characters, for each cell: a symbol to be said again, and a bracket to be closed by its like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import CELLS, TrainingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, column, line_style, plain_numbers, title
from charrnn.lab.networks import config_of_size, new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import INK, legend, new_figure
from charrnn.text.batches import IGNORE_INDEX
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.optim.schedule import learning_rate
from charrnn.training.step import reuse_freed_memory, take_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Batch = tuple[Tensor, Tensor]
DISTRACTORS = 16
"""Different characters that mean nothing: ids 0 … 15."""
SYMBOLS = 8
"""Symbols that may have to be recalled: ids 16 … 23; the next id asks for one."""
ASKS = DISTRACTORS + SYMBOLS
KINDS = 4
"""Kinds of brackets: opening ones are ids 16 … 19, closing ones 20 … 23."""
VOCAB_SIZE = ASKS + 1
STRING = 5
"""Symbols to be recalled, in their order."""
BRACKETS, DEPTH = 0.5, 5
"""Between the brackets that count: the share of characters that are brackets where nothing forbids it, and how deep
they are nested at most."""
TEST_ROWS = 64


@dataclass(frozen=True)
class MemorySize:
    """How large the experiment is; fixed, so that a seed gives one result.

    Attributes:
        parameters: of each network, nearly.
        steps: of training, for each task.
        longest: distance in training.
        distances: that are tested.
        tests: of each distance.
        batch_size: sequences in a step.
        layers: of each network.
    """

    parameters: int
    steps: int
    longest: int
    distances: tuple[int, ...]
    tests: int = 512
    batch_size: int = 64
    layers: int = 2


SIZES = {
    "tiny": MemorySize(20_000, 2, 4, (1, 4), tests=32, batch_size=4, layers=1),
    "quick": MemorySize(50_000, 500, 128, (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    "full": MemorySize(50_000, 3000, 256, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), tests=2048),
}


@dataclass(frozen=True)
class Task:
    """What is to be remembered.

    Attributes:
        what: in a few words.
        choices: how many answers there are; whoever guesses is right once in so many times.
        asked: how many targets, the last ones of each row, are tested.
        draw: (generator, rows, distance) → batch.
    """

    what: str
    choices: int
    asked: int
    draw: Callable[[np.random.Generator, int, int], Batch]


def copy_batch(rng: np.random.Generator, rows: int, distance: int) -> Batch:
    """STRING symbols, then `distance` distractors, then as many that ask, after each of which a symbol is to be said.

    The last symbol is asked for last, so each lies behind the place where it is said by as many characters.

    Returns:
        inputs, targets: (rows, distance + 2 · STRING) int64; all targets but the last STRING are IGNORED.
    """
    inputs = rng.integers(0, DISTRACTORS, (rows, distance + 2 * STRING))
    inputs[:, :STRING] = rng.integers(DISTRACTORS, ASKS, (rows, STRING))
    inputs[:, -STRING:] = ASKS
    targets = np.full_like(inputs, IGNORE_INDEX)
    targets[:, -STRING:] = inputs[:, :STRING]
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def bracket_batch(rng: np.random.Generator, rows: int, distance: int) -> Batch:
    """An opening bracket and `distance` characters, some of them brackets, all of which close; then it is to be closed.

    Brackets are nested up to DEPTH deep. The closing ones on the way are targets too.

    Returns:
        inputs, targets: (rows, distance + 1) int64, the targets IGNORED where no bracket closes.
    """
    text = rng.integers(0, DISTRACTORS, (rows, distance + 2))
    opening = rng.integers(DISTRACTORS, DISTRACTORS + KINDS, (rows, distance + 2))
    chance = rng.random((rows, distance + 2))
    every, depth = np.arange(rows), np.zeros(rows, np.int64)
    open_ones = np.zeros((rows, DEPTH + 1), np.int64)
    for place in range(distance + 2):
        left = distance + 2 - place
        closes = (depth == left) | ((depth > 1) & (chance[:, place] < BRACKETS / 2))
        opens = ~closes & (depth <= DEPTH) & (depth + 2 <= left) & (chance[:, place] > 1 - BRACKETS / 2)
        opens |= place == 0
        text[closes, place] = open_ones[every, depth - 1][closes] + KINDS
        depth -= closes
        open_ones[every[opens], depth[opens]] = text[opens, place] = opening[opens, place]
        depth += opens
    targets = np.where(text >= DISTRACTORS + KINDS, text, IGNORE_INDEX)
    return torch.from_numpy(text[:, :-1]), torch.from_numpy(targets[:, 1:])


TASKS = {
    "copy": Task(f"recall {STRING} symbols of {SYMBOLS}", SYMBOLS, STRING, copy_batch),
    "brackets": Task(f"close {KINDS} kinds of brackets, nested", KINDS, 1, bracket_batch),
}


def run(context: LabContext, size: MemorySize) -> LabResult:
    """Train a network of each cell on each task, and ask it."""
    rows: list[Row] = []
    configs = {cell: config_of_size(cell, size.layers, VOCAB_SIZE, size.parameters) for cell in CELLS}
    for task in TASKS:
        for cell, config in configs.items():
            network = new_network(config, VOCAB_SIZE, context.seed, context.device)
            _train(context, size, task, network)
            accuracies = measure(network, task, size, np.random.default_rng([context.seed, 1]))
            rows += [
                {
                    "task": task,
                    "cell": cell,
                    "width": network.config.hidden_size,
                    "parameters": network.parameter_count,
                    "distance": distance,
                    "accuracy": accuracy,
                    "chance": 1 / TASKS[task].choices,
                }
                for distance, accuracy in zip(size.distances, accuracies, strict=True)
            ]
    sizes = column(rows, "parameters")
    description = (
        f"Share of right answers after d characters, {size.tests:,} new sequences for each d. {size.layers} layers, "
        f"{min(sizes):,} to {max(sizes):,} parameters, {size.steps:,} steps of {size.batch_size} sequences of one "
        f"distance, drawn log-uniformly from 1 to {size.longest} (line: the longest seen in training); dotted: chance. "
        f"Made-up sequences, seed {context.seed}."
    )
    return LabResult(rows, _table(rows, size), description, _draw(rows, size))


def _train(context: LabContext, size: MemorySize, task: str, network: RecurrentModel) -> None:
    """The same sequences, rates and number of steps for all cells."""
    config = TrainingConfig(steps=size.steps, precision="float32")
    optimizer = ModelOptimizer(network, config, dtype_of(config, network.device))
    rng = np.random.default_rng([context.seed, 0])
    with reuse_freed_memory():
        for number in range(size.steps):
            distance = int(np.exp(rng.uniform(0, np.log(size.longest + 1))))
            batch = TASKS[task].draw(rng, size.batch_size, distance)
            rate = learning_rate(number, size.steps, config.learning_rate, config.warmup_steps)
            network.train()
            take_step(optimizer, batch, None, rate)  # not recorded on a GPU: lengths change
            context.progress(f"{task}, {network.config.cell}", number + 1, size.steps)
    network.eval()


@torch.no_grad()
def measure(network: RecurrentModel, task: str, size: MemorySize, rng: np.random.Generator) -> list[float]:
    """The share of right answers for each distance, where the likeliest of all characters is the answer."""
    accuracies = []
    for distance in size.distances:
        inputs, targets = TASKS[task].draw(rng, size.tests, distance)
        asked = slice(-TASKS[task].asked, None)
        right: list[NDArray[np.bool_]] = []
        for rows, wanted in zip(torch.split(inputs, TEST_ROWS), torch.split(targets[:, asked], TEST_ROWS), strict=True):
            answers = network(rows)[0][:, asked].argmax(-1).cpu()
            right.append((answers == wanted).numpy())
        accuracies.append(float(np.concatenate(right).mean()))
    return accuracies


def _table(rows: Sequence[Row], size: MemorySize) -> list[list[str]]:
    table = [["right after d =", *(f"{d}" for d in size.distances)]]
    for task in TASKS:
        for cell in CELLS:
            width, *_ = column(rows, "width", task=task, cell=cell)
            accuracies = column(rows, "accuracy", task=task, cell=cell)
            table.append([f"{task}, {cell} {size.layers}x{width}", *(f"{accuracy:.0%}" for accuracy in accuracies)])
        table.append([f"{task}, chance", *[f"{1 / TASKS[task].choices:.0%}"] * len(size.distances)])
    return table


def _draw(rows: Sequence[Row], size: MemorySize) -> Figure:
    figure, axes = new_figure(8.5, 4.4, columns=2)
    for ax, (task, about) in zip(axes, TASKS.items(), strict=True):
        for cell in CELLS:
            percentages = [100 * accuracy for accuracy in column(rows, "accuracy", task=task, cell=cell)]
            ax.plot(size.distances, percentages, label=cell, **line_style(cell))
        ax.axhline(100 / about.choices, color=INK, linewidth=1, linestyle=":")
        ax.axvline(size.longest, color=INK, linewidth=0.8)
        ax.set_xscale("log", base=2)
        plain_numbers(ax, size.distances)
        ax.set_ylim(0, 104)
        title(ax, f"{task}: {about.what}")
        ax.set_xlabel("d, characters between")
    axes[0].set_ylabel("right, %")
    legend(axes[1], "lower left")
    names = axes[1].get_legend()
    assert names
    names.set_bbox_to_anchor((0, 0.3), axes[1].transAxes)  # above the line of chance
    return figure
