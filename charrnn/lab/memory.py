"""Memory over d characters, for each cell: recall symbols, and close a bracket with the matching one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import CELLS, TrainingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, column, line_style, plain_numbers, set_title
from charrnn.lab.networks import config_of_size, new_network
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.figures import INK, add_legend, new_figure
from charrnn.text.batches import IGNORE_INDEX
from charrnn.training.budget.auto_config import ATTENTION_RATE, suit_attention
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.optim.schedule import learning_rate
from charrnn.training.step import reuse_freed_memory, take_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Batch = tuple[Tensor, Tensor]
DISTRACTORS = 16
"""Number of meaningless characters: ids 0 … 15."""
SYMBOLS = 8
"""Number of symbols to recall: ids 16 … 23."""
QUERY = DISTRACTORS + SYMBOLS
"""The id that asks for a symbol."""
KINDS = 4
"""Number of kinds of brackets: opening brackets are ids 16 … 19, closing brackets 20 … 23."""
VOCAB_SIZE = QUERY + 1
STRING = 5
"""Number of symbols to recall, in order."""
BRACKETS, DEPTH = 0.5, 5
"""Share of brackets among the characters in between, where possible, and their maximum nesting depth."""
TEST_ROWS = 64
"""Batch size of the test."""


@dataclass(frozen=True)
class MemorySize:
    """Settings of the experiment; results are reproducible with a seed.

    Attributes:
        parameters: approximate number of parameters of each network.
        steps: number of training steps for each task.
        longest: longest distance in training.
        distances: distances in the test.
        tests: number of test sequences for each distance.
        batch_size: number of sequences in a training step.
        layers: number of layers of each network.
    """

    parameters: int
    steps: int
    longest: int
    distances: tuple[int, ...]
    tests: int = 512
    batch_size: int = 64
    layers: int = 2


SIZES = {
    "tiny": MemorySize(60_000, 2, 4, (1, 4), tests=32, batch_size=4, layers=1),
    "quick": MemorySize(50_000, 500, 128, (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    "full": MemorySize(50_000, 3000, 256, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), tests=2048),
}


@dataclass(frozen=True)
class Task:
    """A memory task.

    Attributes:
        description: a short description.
        choices: number of possible answers; the accuracy of guessing is 1 / choices.
        answers: number of targets at the end of each row that are tested.
        draw: function (generator, rows, distance) → batch.
    """

    description: str
    choices: int
    answers: int
    draw: Callable[[np.random.Generator, int, int], Batch]


def copy_batch(rng: np.random.Generator, rows: int, distance: int) -> Batch:
    """Draw sequences of STRING symbols, `distance` distractors, and STRING queries, whose targets are the symbols.

    The symbols are recalled in their order, so the distance from each symbol to its target is the same.

    Returns:
        inputs, targets: (rows, distance + 2 · STRING) int64; all targets except the last STRING are IGNORE_INDEX.
    """
    inputs = rng.integers(0, DISTRACTORS, (rows, distance + 2 * STRING))
    inputs[:, :STRING] = rng.integers(DISTRACTORS, QUERY, (rows, STRING))
    inputs[:, -STRING:] = QUERY
    targets = np.full_like(inputs, IGNORE_INDEX)
    targets[:, -STRING:] = inputs[:, :STRING]
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def bracket_batch(rng: np.random.Generator, rows: int, distance: int) -> Batch:
    """Draw sequences of an opening bracket and `distance` characters; the last target is the matching bracket.

    Some of the characters are brackets, nested up to DEPTH deep and all closed. Their closing brackets are targets too.

    Returns:
        inputs, targets: (rows, distance + 1) int64; the targets are IGNORE_INDEX where no bracket closes.
    """
    text = rng.integers(0, DISTRACTORS, (rows, distance + 2))
    opening = rng.integers(DISTRACTORS, DISTRACTORS + KINDS, (rows, distance + 2))
    chance = rng.random((rows, distance + 2))
    every, depth = np.arange(rows), np.zeros(rows, np.int64)
    stack = np.zeros((rows, DEPTH + 1), np.int64)
    for place in range(distance + 2):
        remaining = distance + 2 - place
        closes = (depth == remaining) | ((depth > 1) & (chance[:, place] < BRACKETS / 2))
        opens = ~closes & (depth <= DEPTH) & (depth + 2 <= remaining) & (chance[:, place] > 1 - BRACKETS / 2)
        opens |= place == 0
        text[closes, place] = stack[every, depth - 1][closes] + KINDS
        depth -= closes
        stack[every[opens], depth[opens]] = text[opens, place] = opening[opens, place]
        depth += opens
    targets = np.where(text >= DISTRACTORS + KINDS, text, IGNORE_INDEX)
    return torch.from_numpy(text[:, :-1]), torch.from_numpy(targets[:, 1:])


TASKS = {
    "copy": Task(f"recall {STRING} symbols (of {SYMBOLS})", SYMBOLS, STRING, copy_batch),
    "brackets": Task(f"close nested brackets of {KINDS} kinds", KINDS, 1, bracket_batch),
}


def run(context: LabContext, size: MemorySize) -> LabResult:
    """Train a network of each cell on each task, and test it at each distance."""
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
    caption = (
        f"Accuracy at distance d, on {size.tests:,} new synthetic sequences for each d; dotted line: chance. "
        f"{size.layers} layers, {min(sizes):,} to {max(sizes):,} parameters, {size.steps:,} training steps with batch "
        f"size {size.batch_size} and learning rate {TrainingConfig().learning_rate:g} (attention: {ATTENTION_RATE:g}). "
        f"All sequences of a step have the same distance, drawn log-uniformly from 1 to {size.longest} (vertical "
        f"line). Seed {context.seed}."
    )
    return LabResult(rows, table(rows, size), caption, draw(rows, size))


def _train(context: LabContext, size: MemorySize, task: str, network: RecurrentModel) -> None:
    """Train a network; the sequences, learning rates and number of steps are the same for all cells."""
    _, config = suit_attention(network.config, TrainingConfig(steps=size.steps, precision="float32"))
    optimizer = ModelOptimizer(network, config, dtype_of(config, network.device))
    rng = np.random.default_rng([context.seed, 0])
    with reuse_freed_memory():
        for number in range(size.steps):
            distance = int(np.exp(rng.uniform(0, np.log(size.longest + 1))))
            batch = TASKS[task].draw(rng, size.batch_size, distance)
            rate = learning_rate(number, size.steps, config.learning_rate, config.warmup_steps)
            network.train()
            take_step(optimizer, batch, None, rate)  # no CUDA graph, because the length changes
            context.progress(f"{task}, {network.config.cell}", number + 1, size.steps)
    network.eval()


@torch.no_grad()
def measure(network: RecurrentModel, task: str, size: MemorySize, rng: np.random.Generator) -> list[float]:
    """Return the accuracy at each distance; the answer is the likeliest of all characters."""
    accuracies = []
    for distance in size.distances:
        inputs, targets = TASKS[task].draw(rng, size.tests, distance)
        tested = slice(-TASKS[task].answers, None)
        correct: list[NDArray[np.bool_]] = []
        batches = zip(torch.split(inputs, TEST_ROWS), torch.split(targets[:, tested], TEST_ROWS), strict=True)
        for rows, expected in batches:
            answers = network(rows)[0][:, tested].argmax(-1).cpu()
            correct.append((answers == expected).numpy())
        accuracies.append(float(np.concatenate(correct).mean()))
    return accuracies


def table(rows: Sequence[Row], size: MemorySize) -> list[list[str]]:
    """Return the table: accuracy by task, cell and distance."""
    lines = [["accuracy at distance d =", *(f"{d}" for d in size.distances)]]
    for task in TASKS:
        for cell in CELLS:
            width, *_ = column(rows, "width", task=task, cell=cell)
            accuracies = column(rows, "accuracy", task=task, cell=cell)
            lines.append([f"{task}, {cell} {size.layers}x{width}", *(f"{accuracy:.0%}" for accuracy in accuracies)])
        lines.append([f"{task}, chance", *[f"{1 / TASKS[task].choices:.0%}"] * len(size.distances)])
    return lines


def draw(rows: Sequence[Row], size: MemorySize) -> Figure:
    """Draw the accuracy by distance, for each task and cell."""
    figure, axes = new_figure(8.5, 4.4, columns=2)
    for ax, (name, task) in zip(axes, TASKS.items(), strict=True):
        for cell in CELLS:
            percentages = [100 * accuracy for accuracy in column(rows, "accuracy", task=name, cell=cell)]
            ax.plot(size.distances, percentages, label=cell, **line_style(cell))
        ax.axhline(100 / task.choices, color=INK, linewidth=1, linestyle=":")
        ax.axvline(size.longest, color=INK, linewidth=0.8)
        ax.set_xscale("log", base=2)
        plain_numbers(ax, size.distances)
        ax.set_ylim(0, 104)
        set_title(ax, f"{name}: {task.description}")
        ax.set_xlabel("distance d, characters")
    axes[0].set_ylabel("accuracy, %")
    add_legend(axes[1], "lower left")
    box = axes[1].get_legend()
    assert box
    box.set_bbox_to_anchor((0, 0.3), axes[1].transAxes)  # above the line of chance
    return figure
