"""What some minutes of training would give a text on this machine, before any training, by `auto_config.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.budget.auto_config import MAX_EPOCHS, Workload, choose_config, weights_of
from charrnn.training.budget.clock import measure_speed

MINUTES = (1.0, 5.0, 30.0)
STATES = 5
"""Numbers for each weight: itself, its gradient, two moments, and the best one so far."""
LOGITS = 3
"""Numbers for each logit of a step: itself, its probability, its gradient."""


@dataclass(frozen=True)
class Estimate:
    """What so many minutes would buy on this machine.

    Attributes:
        minutes: the budget.
        model: the network that would be trained.
        training: how.
        epochs: how often it would read the training part.
        parameters: of all networks together.
        memory: bytes of weights and logits while one is trained; Python and PyTorch need theirs beside them.
    """

    minutes: float
    model: ModelConfig
    training: TrainingConfig
    epochs: float
    parameters: int
    memory: int

    @property
    def ends_early(self) -> bool:
        """Whether it would stop before its time, because more readings would only overfit."""
        return self.epochs >= MAX_EPOCHS

    def as_json(self) -> dict[str, Any]:
        """The numbers, under the names that charrnn's JSON uses."""
        return {
            "minutes": self.minutes,
            "model": str(self.model),
            "dropout": self.model.dropout,
            "batch_size": self.training.batch_size,
            "epochs": self.epochs,
            "parameters": self.parameters,
            "memory_bytes": self.memory,
        }


def estimate_budgets(
    characters: int, vocab_size: int, device: torch.device, minutes: tuple[float, ...] = MINUTES
) -> tuple[float, list[Estimate]]:
    """What some numbers of minutes would buy, by the speed of a few steps of the network that is the default.

    Returns:
        How many characters a second the default network reads (others are taken to be as much slower as they have more
        weights), and an estimate for each budget.
    """
    default = ModelConfig()
    speeds: dict[int, float] = {}

    def speed(model: ModelConfig, training: TrainingConfig) -> float:
        rows = training.batch_size  # a short text gets few, which take longer
        if rows not in speeds:
            speeds[rows] = measure_speed(default, training, device)
        return speeds[rows] * weights_of(default) / weights_of(model)

    choices = []
    for budget in minutes:
        training_config = TrainingConfig(minutes=budget)
        workload = Workload(characters, vocab_size)
        chosen = choose_config(default, training_config, frozenset(), workload, speed, on_gpu=device.type == "cuda")
        networks = chosen.model.networks
        with torch.device("meta"):
            network = RecurrentModel(replace(chosen.model, networks=1), vocab_size)
        parameters = sum(weights.numel() for weights in network.parameters())
        step = chosen.training.batch_size * chosen.training.seq_length
        memory = 4 * ((STATES + networks - 1) * parameters + LOGITS * step * vocab_size)
        epochs = chosen.epochs or 0.0
        choices.append(Estimate(budget, chosen.model, chosen.training, epochs, networks * parameters, memory))
    return next(iter(speeds.values())), choices
