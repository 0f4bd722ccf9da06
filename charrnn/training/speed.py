"""How fast this machine trains, measured before anything is chosen by it."""

from __future__ import annotations

import time

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.recurrent import RecurrentModel
from charrnn.training.clock import UNTIMED_STEPS
from charrnn.training.precision import dtype_of
from charrnn.training.steps import steps_of
from charrnn.training.updates import Updates

VOCAB_SIZE = 64
STEPS = 3


def measure(model: ModelConfig, training: TrainingConfig, device: torch.device) -> float:
    """Characters a second, of a few whole steps.

    Args:
        model: the network that is timed.
        training: its batch, optimizer and precision.
        device: where.
    """
    with torch.random.fork_rng(devices=[]):
        network = RecurrentModel(model, VOCAB_SIZE).to(device).train()
        rows = torch.randint(0, VOCAB_SIZE, (training.batch_size, training.seq_length + 1))
    batch = rows[:, :-1], rows[:, 1:]
    dtype = dtype_of(training, device)
    take_step = steps_of(network, Updates(network, training, dtype), dtype)
    untimed = 1 if device.type == "cpu" else UNTIMED_STEPS
    seconds = []
    for _ in range(untimed + STEPS):
        started = time.perf_counter()
        take_step(batch, None, 1e-3, 1.0)[0].item()
        seconds.append(time.perf_counter() - started)
    return batch[0].numel() / min(seconds[untimed:])
