"""Estimate, without training, what `auto_config.py` would choose for a text and several time budgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.budget.auto_config import MAX_EPOCHS, Workload, choose_config
from charrnn.training.budget.clock import measure_speed
from charrnn.training.budget.sizes import weights_of

MINUTES = (1.0, 5.0, 30.0)
"""Time budgets of the estimates, in minutes."""
STATES = 5
"""Numbers stored per weight: the weight, its gradient, two moments, and its best value so far."""
LOGITS = 3
"""Numbers stored per logit of a step: the logit, its probability, its gradient."""


@dataclass(frozen=True)
class Estimate:
    """Configuration and cost of a training with a time budget on this machine.

    Attributes:
        minutes: the time budget.
        model: the network or networks that would be trained.
        training: the training configuration.
        epochs: expected passes over the training part.
        parameters: number of parameters of all networks together.
        memory: bytes of weights and logits while one network is trained, without Python and PyTorch themselves.
    """

    minutes: float
    model: ModelConfig
    training: TrainingConfig
    epochs: float
    parameters: int
    memory: int

    @property
    def ends_early(self) -> bool:
        """Whether training would end before the time is up, because more epochs would overfit."""
        return self.epochs >= MAX_EPOCHS

    def as_json(self) -> dict[str, Any]:
        """Return the estimate with the keys of charrnn's JSON."""
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
    """Time a few steps of the default network and estimate the result of each time budget.

    The speed of other networks is assumed to be inversely proportional to their number of weights.

    Args:
        characters: length of the training part.
        vocab_size: number of different characters, V.
        device: the device to train on.
        minutes: the time budgets.

    Returns:
        The training speed of the default network in characters per second, and an estimate for each budget.
    """
    default = ModelConfig()
    speeds: dict[int, float] = {}

    def speed(model: ModelConfig, training: TrainingConfig) -> float:
        rows = training.batch_size  # smaller for a short text, which makes each character slower
        if rows not in speeds:
            speeds[rows] = measure_speed(default, training, device)
        return speeds[rows] * weights_of(default) / weights_of(model)

    estimates = []
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
        estimates.append(Estimate(budget, chosen.model, chosen.training, epochs, networks * parameters, memory))
    return next(iter(speeds.values())), estimates
