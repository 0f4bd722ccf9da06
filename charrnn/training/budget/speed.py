"""How fast this machine trains, measured before anything is chosen by it."""

from __future__ import annotations

import statistics
import time

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.kernels.thread_tuner import fixed_threads
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.budget.clock import UNTIMED_STEPS
from charrnn.training.optim.optimizer import Updates
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import make_step

VOCAB_SIZE = 64
STEPS = 3
"""Timed steps for each number of threads; their median counts, for another process may disturb one of them."""
SHARE, MAX_SECONDS = 0.005, 3.0
"""Of the budget, and in all, spent on steps with the best number of threads. By three steps alone, training for ten
minutes seemed to read one text 6.9, 8.3 or 10.7 times, and dropout was chosen by that."""


def measure(model: ModelConfig, training: TrainingConfig, device: torch.device, is_alone: bool = True) -> float:
    """Characters a second of whole steps, with the number of threads that is fastest now.

    Args:
        model: the network that is timed.
        training: its batch, optimizer and precision.
        device: where.
        is_alone: False where several processes train together, whose steps are no CUDA graphs.
    """
    with torch.random.fork_rng(devices=[]):
        network = RecurrentModel(model, VOCAB_SIZE).to(device).train()
        rows = torch.randint(0, VOCAB_SIZE, (training.batch_size, training.seq_length + 1))
    batch = rows[:, :-1], rows[:, 1:]
    dtype = dtype_of(training, device)
    take_step = make_step(network, Updates(network, training, dtype), dtype, is_alone=is_alone)
    untimed = 1 if device.type == "cpu" else UNTIMED_STEPS

    def seconds(threads: int, steps: int, least: float = 0.0) -> float:
        """The median of so many steps, or of as many as so many seconds have, if those are more."""
        tuner, begun = fixed_threads(threads), time.perf_counter()
        times: list[float] = []
        while len(times) < steps or time.perf_counter() - begun < least:
            started = time.perf_counter()
            with tuner.piece():
                take_step(batch, None, 1e-3, 1.0)[0].item()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    threads = training.threads or torch.get_num_threads()
    seconds(threads, untimed)
    best = seconds(threads, STEPS)
    if training.threads is None and device.type == "cpu":
        while True:  # fewer are faster on a busy machine, or where there are many for little work
            fewer = threads // 2
            now = seconds(fewer, STEPS) if fewer else best
            if now >= best:
                break
            threads, best = fewer, now
    long = min(MAX_SECONDS, SHARE * 60 * (training.minutes or 0))
    return batch[0].numel() / seconds(threads, STEPS, long)
