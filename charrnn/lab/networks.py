"""Networks for the experiments: initialized from a seed, sized by number of parameters, trained for a given time."""

from __future__ import annotations

import functools
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch

from charrnn.config import ModelConfig
from charrnn.errors import UsageError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.loop import Training

SLACK = 0.02
"""Maximum relative difference of a network's number of parameters from the requested number."""
MAX_WIDTH = 1 << 12


def new_network(config: ModelConfig, vocab_size: int, seed: int, device: torch.device) -> RecurrentModel:
    """Create a network with weights initialized from a seed, in evaluation mode; global generators do not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecurrentModel(config, vocab_size).to(device).eval()


def config_of_size(cell: str, num_layers: int, vocab_size: int, parameters: int) -> ModelConfig:
    """Return the network of a cell whose number of parameters, embedding and head included, is closest to `parameters`.

    Raises:
        UsageError: the closest number differs by more than SLACK.
    """
    size_of = functools.partial(parameter_count, cell, num_layers, vocab_size)
    larger = bisect_right(range(MAX_WIDTH), parameters, 2, key=size_of)
    width = min((larger - 1, larger), key=lambda width: abs(size_of(width) - parameters))
    if abs(size_of(width) - parameters) > SLACK * parameters:
        raise UsageError(
            f"no {cell} with {num_layers} layers and a vocabulary of {vocab_size:,} characters has {parameters:,} "
            f"parameters (±{SLACK:.0%}); use a text with fewer different characters"
        )
    return ModelConfig(cell, num_layers, width)


def parameter_count(cell: str, num_layers: int, vocab_size: int, width: int) -> int:
    """Return the number of parameters of a network, without allocating the weights."""
    with torch.device("meta"):
        return RecurrentModel(ModelConfig(cell, num_layers, width), vocab_size).parameter_count


class TimedStep(NamedTuple):
    """A training step: its number, the planned number of steps, and the seconds of training so far."""

    number: int
    planned: int
    seconds: float


def timed_steps(training: Training, minutes: float | None) -> Iterator[TimedStep]:
    """Train for a given time, and yield each step once there is a plan; the caller's own work does not count.

    The training loop plans the number of steps after timing the first ones. Here the plan is corrected after each step,
    so that all networks train for the same time, to the second, even on a busy machine. The learning rate follows the
    plan.

    Args:
        training: the training, which does no scoring itself.
        minutes: the time; None to take the planned steps.
    """
    elsewhere = 0.0
    for step in training.steps():
        step.loss.item()  # wait for the device
        seconds = time.perf_counter() - training.started - elsewhere
        if training.plan is None:
            continue
        if minutes:
            left = round((60 * minutes - seconds) * step.number / seconds)
            training.plan = replace(training.plan, steps=step.number + max(0, left), earlier=())
        before = time.perf_counter()
        yield TimedStep(step.number, training.plan.steps, seconds)
        elsewhere += time.perf_counter() - before
