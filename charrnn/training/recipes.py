"""What a budget of minutes buys: size, dropout and batch from the time, the text and the speed of the machine.

The figures behind each rule stand in docs/experiments.md. Whatever the user has set stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.training.precision import dtype_of
from charrnn.training.schedule import MOST_VALIDATIONS
from charrnn.training.speed import measure

CPU_MINUTES, GPU_MINUTES = 5.0, 2.0
"""The budget where nobody says one."""

REFERENCE_WORK = 7.5e12
"""Characters times weights, about four minutes' on two cores, for which `REFERENCE_WIDTH` is the best width."""
REFERENCE_WIDTH = 256
GROWTH = 0.25
"""Exponent of the width in the work: weights, which go with its square, grow like the characters that are read."""
LEAST_WIDTH, MOST_WIDTH = 64, 1024
WIDTH_STEP = 64
MOST_EPOCHS = 40.0
"""More only overfits, whatever the dropout."""
FREE_EPOCHS = 4.0
"""As often a text may be read before dropout pays."""
DROPOUT_PER_DOUBLING = 0.1
MOST_DROPOUT = 0.4
LEAST_PIECE = 512
"""Characters that each stream should have of its own."""


@dataclass(frozen=True)
class Recipe:
    """What was chosen.

    Attributes:
        model: the network.
        training: how it is fitted.
        reasons: for each choice its name, and what was chosen and why, in one line.
    """

    model: ModelConfig
    training: TrainingConfig
    reasons: tuple[tuple[str, str], ...]


def with_budget(
    model: ModelConfig, training: TrainingConfig, said: frozenset[str], characters: int, device: torch.device
) -> Recipe:
    """What is trained, and how; the speed of the machine is measured.

    Where the user has said how many steps or epochs, there is no budget, and what else was said and the defaults stand.

    Args:
        model: the network, with defaults where nothing was said.
        training: its training, the same.
        said: names of the fields that the user has set.
        characters: of the training part.
        device: where it is to be trained.
    """
    if training.steps or training.epochs:
        return Recipe(model, training, ())
    if not training.minutes:
        training = replace(training, minutes=CPU_MINUTES if device.type == "cpu" else GPU_MINUTES)
    reasons = []
    if "optimizer" not in said and device.type == "cpu" and dtype_of(training, device) == torch.float32:
        training = replace(training, optimizer="adamw")
        reasons.append(("optimizer", "adamw, for Muon needs fast products of bfloat16, which this processor lacks"))
    per_second = measure(model, training, device)
    recipe = choose(model, training, said, characters, per_second * weights_of(model))
    return replace(recipe, reasons=(*reasons, *recipe.reasons))


def weights_of(model: ModelConfig) -> int:
    """About how many weights each character passes: those of the layers."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4, "minlstm": 3, "mingru": 2}[model.cell]
    inputs = 1 if model.cell.startswith("min") else 2
    return model.num_layers * gates * inputs * model.hidden_size**2


def choose(model: ModelConfig, training: TrainingConfig, said: frozenset[str], characters: int, speed: float) -> Recipe:
    """Fill in what the user has left open.

    Args:
        model: the network, with defaults where nothing was said.
        training: its training, the same; `minutes` is set.
        said: names of the fields that the user has set.
        characters: of the training part.
        speed: characters times weights a second, see `speed.measure`.
    """
    assert training.minutes
    work = 60 * training.minutes * speed
    reasons = []
    if "hidden_size" not in said:
        model = replace(model, hidden_size=width_for(work))
        reasons.append(
            ("size", f"{model.num_layers} layers of {model.hidden_size}, for {training.minutes:g} minutes at "
             f"{speed / weights_of(model):,.0f} characters a second")
        )  # fmt: skip
    epochs = work / weights_of(model) / characters
    if epochs > MOST_EPOCHS:
        epochs = MOST_EPOCHS
        training = replace(training, minutes=None, epochs=epochs)
        reasons.append(("time", f"{epochs:g} readings of the text, which take less than that: more would only overfit"))
    if "dropout" not in said:
        model = replace(model, dropout=dropout_for(epochs))
        times = f"{epochs:.2g} time{'s' * (epochs != 1)}"
        reasons.append(("dropout", f"{model.dropout:g}, for the text is read about {times}"))
    if "batch_size" not in said:
        rows = max(1, min(training.batch_size, characters // LEAST_PIECE))
        if rows < training.batch_size:
            training = replace(training, batch_size=rows)
            reasons.append(("batch", f"{rows} streams, for the text is short"))
    if training.epochs and "validate_every" not in said:
        steps = training.epochs * characters / (training.batch_size * training.seq_length)
        training = replace(training, validate_every=math.ceil(steps / MOST_VALIDATIONS))
    return Recipe(model, training, tuple(reasons))


def width_for(work: float) -> int:
    """The width of the layers that makes the most of so much work (characters times weights)."""
    width: float = REFERENCE_WIDTH * (work / REFERENCE_WORK) ** GROWTH
    return max(LEAST_WIDTH, min(MOST_WIDTH, WIDTH_STEP * round(width / WIDTH_STEP)))


def dropout_for(epochs: float) -> float:
    """The share to drop when a text is read so often."""
    doublings = math.log2(max(1.0, epochs / FREE_EPOCHS))
    return round(min(MOST_DROPOUT, DROPOUT_PER_DOUBLING * doublings), 2)
