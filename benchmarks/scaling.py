"""How training scales to two processes on one machine: two of one thread each beside one of two threads.

    python benchmarks/scaling.py [--rounds 5] [--out benchmarks/results/scaling.json]

Some minutes. The same global batch, charrnn's own loop (agreements between processes, mean losses and all), without
validation. The three ways are taken in turns, each in processes of its own; figures are medians of steps, ratios
medians over rounds. `exchange` is what averaging the gradients alone takes, measured between the same processes.
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
"""Layers, width, batch, length."""
UNCOUNTED = 5
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, one thread": (2, 1)}
"""Processes and threads of each."""


def work(group: ProcessGroup, shape: tuple[int, int, int, int], steps: int) -> None:
    """What each process does: train, and print seconds of a step, and of an exchange of its gradients."""
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
    """Seconds of a step and of an exchange, of so many processes with so many threads each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--work", *map(str, shape), "--steps", str(steps)]
    started = []
    for rank in range(processes):
        variables = {"RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port, "OMP_NUM_THREADS": threads}
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", **{name: str(one) for name, one in variables.items()}}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    outs = [process.communicate()[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    step, exchange = json.loads(outs[0])
    return step, exchange


def row(shape: tuple[int, int, int, int], rounds: int, steps: int) -> dict[str, Any]:
    """One network, all ways."""
    layers, width, batch_size, length = shape
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    exchanges = []
    for _ in range(rounds):
        for name, way in WAYS.items():
            step, exchange = run(shape, steps, *way)
            found[name].append(step)
            if exchange:
                exchanges.append(exchange)
    alone, threads, processes = found.values()

    def ratio(others: list[float]) -> float:
        return round(statistics.median(a / b for a, b in zip(others, processes, strict=True)), 2)

    return {
        "shape": f"{layers}x{width}",
        "batch": f"{batch_size}x{length}",
        "milliseconds": {name: round(1000 * statistics.median(one), 2) for name, one in found.items()},
        "exchange_milliseconds": round(1000 * statistics.median(exchanges), 2),
        "times_two_threads": ratio(threads),
        "times_one_thread": ratio(alone),
        "efficiency": round(ratio(alone) / 2, 2),
    }


def main() -> None:
    """Run, print a line a row, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--out", type=Path)
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
