"""Measure how training scales to two processes on one machine: two with one thread each, or one with two threads.

    python benchmarks/scaling.py [--rounds 5] [--out benchmarks/results/scaling.json]

Prints a line of JSON per network; takes some minutes. All three ways use the same global batch and charrnn's whole
training loop, without validation, and alternate, each in new processes. Times are medians of steps, ratios are medians
over rounds. `exchange` is the time to average the gradients alone, measured between the same processes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from machine import machine

from charrnn import ModelConfig, RecurrentModel, Streams, TrainingConfig
from charrnn.torchrun import exit_process
from charrnn.training.distributed import ProcessGroup, connect
from charrnn.training.loop import Training

VOCAB_SIZE = 65
SHAPES = ((2, 128, 50, 50), (2, 256, 32, 64), (2, 256, 128, 64), (3, 512, 64, 64))
"""(layers, hidden size, batch size, sequence length)."""
UNCOUNTED = 5
"""Number of first steps that are not timed."""
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, one thread": (2, 1)}
"""(processes, threads of each) by name."""


def work(group: ProcessGroup, shape: tuple[int, int, int, int], steps: int) -> None:
    """Train in one process; rank 0 prints the seconds of a step and of an exchange of gradients."""
    layers, width, batch_size, length = shape
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig("lstm", layers, width), VOCAB_SIZE)
    ids = np.random.default_rng(0).integers(0, VOCAB_SIZE, 200_000)
    streams = Streams(ids, batch_size, length)
    training = Training(model, streams, ids[:0], TrainingConfig(steps=steps + UNCOUNTED), group=group)
    seconds, before = [], time.perf_counter()
    for step in training.steps():
        step.loss.item()
        seconds.append(time.perf_counter() - before)
        before = time.perf_counter()
    exchanges, gradients = [], torch.zeros(model.parameter_count)
    for _ in range(10 if group.size > 1 else 0):
        before = time.perf_counter()
        dist.all_reduce(gradients)
        exchanges.append(time.perf_counter() - before)
    if group.is_rank_zero:
        exchange = statistics.median(exchanges) if exchanges else 0.0
        print(json.dumps([statistics.median(seconds[UNCOUNTED:]), exchange]))


def run(shape: tuple[int, int, int, int], steps: int, processes: int, threads: int) -> tuple[float, float]:
    """Train with a number of processes and threads, and return the seconds of a step and of an exchange."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--work", *map(str, shape), "--steps", str(steps)]
    started = []
    for rank in range(processes):
        variables = {"RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port, "OMP_NUM_THREADS": threads}
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1"} | {name: str(v) for name, v in variables.items()}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    outs = [process.communicate()[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    step, exchange = json.loads(outs[0])
    return step, exchange


def row(shape: tuple[int, int, int, int], rounds: int, steps: int) -> dict[str, Any]:
    """Measure one network in all ways."""
    layers, width, batch_size, length = shape
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    exchanges = []
    for _ in range(rounds):
        for name, way in WAYS.items():
            step, exchange = run(shape, steps, *way)
            seconds[name].append(step)
            if exchange:
                exchanges.append(exchange)
    alone, threads, processes = seconds.values()

    def ratio(others: list[float]) -> float:
        return round(statistics.median(a / b for a, b in zip(others, processes, strict=True)), 2)

    return {
        "shape": f"{layers}x{width}",
        "batch": f"{batch_size}x{length}",
        "milliseconds": {name: round(1000 * statistics.median(rounds), 2) for name, rounds in seconds.items()},
        "exchange_milliseconds": round(1000 * statistics.median(exchanges), 2),
        "times_two_threads": ratio(threads),
        "times_one_thread": ratio(alone),
        "efficiency": round(ratio(alone) / 2, 2),
    }


def main() -> None:
    """Measure and print each row, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each way")
    parser.add_argument("--steps", type=int, default=40, help="timed steps per run")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--work", type=int, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        layers, width, batch_size, length = options.work
        with connect() as group:
            work(group, (layers, width, batch_size, length), options.steps)
        exit_process(0)
    result: dict[str, Any] = {"machine": machine(), "rows": []}
    for shape in SHAPES:
        result["rows"].append(row(shape, options.rounds, options.steps))
        print(json.dumps(result["rows"][-1]), flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
