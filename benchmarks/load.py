"""Measure training speed while other processes use the cores, and how soon the speed recovers.

    python benchmarks/load.py [--seconds 15] [--cell lstm] [--hidden 192] [--out load.json]

Prints a line of JSON per row, about a minute each, and then the median share of each case. A row is one process that
trains alone for a while, then next to busy loops, then alone again. With `auto` charrnn chooses the number of threads,
which is otherwise fixed. `share` is the speed next to the loops, as a fraction of the speed alone in the same process;
`recovery_seconds` is the time from the end of the loops until five consecutive steps take at most a tenth longer than
the median step alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine

from charrnn import ModelConfig, RecurrentModel, Streams, TrainingConfig
from charrnn.training.loop import Training

IN_A_ROW = 5
"""Number of consecutive fast steps that end the recovery."""
WITHIN = 1.1
"""Maximum duration of a fast step, relative to the median alone."""
VOCAB_SIZE = 65


def busy(seconds: float) -> None:
    """Keep a core busy for some seconds."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def one_row(options: argparse.Namespace, threads: int | None, loops: int, nice: int) -> dict[str, Any]:
    """Train alone, next to `loops` busy loops, and alone again, in a process of its own."""
    os.nice(nice)
    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(0, VOCAB_SIZE, 1_000_000).astype(np.uint8)
    config = TrainingConfig(steps=10**6, optimizer=options.optimizer, threads=threads)
    model = RecurrentModel(ModelConfig(cell=options.cell, hidden_size=options.hidden), VOCAB_SIZE)
    streams = Streams(ids, config.batch_size, config.seq_length)
    training = Training(model, streams, ids[:0], config)
    ends: list[float] = []
    started, phase, others = time.perf_counter(), 0, []
    bounds = [0.0, 0.0]  # when the loops began and ended
    context = multiprocessing.get_context("spawn")
    for _ in training.steps():
        now = time.perf_counter() - started
        ends.append(now)
        if phase == 0 and now > options.seconds:
            others = [context.Process(target=_unniced, args=(options.seconds, nice), daemon=True) for _ in range(loops)]
            for other in others:
                other.start()
            bounds[0], phase = now, 1
        elif phase == 1 and not any(other.is_alive() for other in others):
            bounds[1], phase = now, 2
        elif phase == 2 and now > bounds[1] + options.seconds / 2:
            break
    times = np.diff(ends)
    at = np.array(ends[1:])
    alone = times[(at > options.seconds / 4) & (at <= bounds[0])]
    beside = times[(at > bounds[0] + options.settle) & (at <= bounds[1])]
    usual, after = float(np.median(alone)), list(zip(at[at > bounds[1]], times[at > bounds[1]], strict=True))
    recovery = next(
        (
            round(float(after[i][0] - bounds[1]), 2)
            for i in range(len(after) - IN_A_ROW)
            if all(time < WITHIN * usual for _, time in after[i : i + IN_A_ROW])
        ),
        None,
    )
    size = config.batch_size * config.seq_length
    return {
        "threads": threads or "auto",
        "loops": loops,
        "nice": nice,
        "alone_chars_per_second": round(size * len(alone) / float(alone.sum())),
        "beside_chars_per_second": round(size * len(beside) / float(beside.sum())),
        "share": round(len(beside) / float(beside.sum()) / (len(alone) / float(alone.sum())), 3),
        "recovery_seconds": recovery,
        "threads_used": sorted(training.tuner.used),
    }


def _unniced(seconds: float, nice: int) -> None:
    """Run a busy loop at normal priority, even if the training has a lower one (needs root)."""
    if nice:
        try:
            os.nice(-nice)
        except OSError:
            print("note: busy loops run at the training's low priority; raising it needs root", file=sys.stderr)
    busy(seconds)


def _send(connection: Any, options: argparse.Namespace, threads: int | None, loops: int, nice: int) -> None:
    connection.send(one_row(options, threads, loops, nice))


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each row, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="seconds alone, and next to the loops")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds after the loops start that are not counted")
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--fixed", type=int, nargs="*", default=[1, 2], help="fixed numbers of threads to compare with")
    parser.add_argument("--repeat", type=int, default=1, help="number of rows for each case")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"machine": machine(), "model": f"{options.cell} 2x{options.hidden}", "rows": []}
    cases: list[tuple[int | None, int, int]] = [(None, 1, 0), (None, 1, 10), (None, 2, 0)]
    cases += [(threads, 1, 0) for threads in options.fixed]
    context = multiprocessing.get_context("spawn")
    for threads, loops, nice in cases * options.repeat:
        receiver, sender = context.Pipe()
        process = context.Process(target=_send, args=(sender, options, threads, loops, nice))
        process.start()
        sender.close()
        row = receiver.recv()
        process.join()
        result["rows"].append(row)
        print(json.dumps(row), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for case in cases:
        shares = [
            row["share"]
            for row in result["rows"]
            if (row["threads"], row["loops"], row["nice"]) == (case[0] or "auto", *case[1:])
        ]
        print(
            f"threads {case[0] or 'auto'}, busy loops {case[1]}, nice {case[2]}: "
            f"median share of the speed alone {statistics.median(shares):.2f}"
        )


if __name__ == "__main__":
    main()
