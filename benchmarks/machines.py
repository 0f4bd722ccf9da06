"""Measure the same commands on simulated machines: all instructions of this processor, or only AVX2.

    python benchmarks/machines.py tinyshakespeare.txt [--shakespeare shakespeare.txt] [--sets all avx2]
        [--parts steps quality busy plain allowed] [--minutes 1 3 10] [--mixed-minutes 1 3 10] [--ngrams]
        [--shakespeare-minutes 3 10] [--shakespeare-mixed-minutes 3 10] [--out machines.json]

Prints a line of JSON per row, after the set and the part. `avx2` sets ATEN_CPU_CAPABILITY=avx2 and
ONEDNN_MAX_CPU_ISA=AVX2, so PyTorch, oneDNN and the C kernels run as on a processor without AVX-512; the machine's entry
in the results has the instruction set in use. Results in the --out file are kept, so parts can be run one at a time.

steps     training steps with Muon and AdamW, alternating: median milliseconds, and the median ratio of pairs
quality   `charrnn train --minutes` as whole commands, with and without `--with-ngram`; with --ngrams, `charrnn ngram`
busy      `charrnn train --minutes 1` while another process uses a core for the first 15 seconds, or all the time
plain     training and sampling speed without a C compiler, as a fraction of the speed with one
allowed   training with OMP_NUM_THREADS set to 1, 2, 8 or 64, and the number of threads that charrnn then uses
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTS = ("steps", "quality", "busy", "plain", "allowed")
SETS = {"all": {}, "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}
WIDTHS = (128, 192, 256, 512)
CELLS = ("lstm", "gru", "rnn", "mingru", "minlstm")
PAIRS, UNTIMED = 20, 3
WRITTEN = 2000
ALLOWED = (1, 2, 8, 64)
SPEED_STEPS, ROUNDS = 150, 3
BUSY_SECONDS = {"first 15 s": 15.0, "all the time": 90.0}

Row = dict[str, Any]


def step_times(cell: str, width: int, optimizers: tuple[str, ...], pairs: int = PAIRS) -> dict[str, list[float]]:
    """Return the seconds of training steps of 32 x 64 characters in `auto` precision; optimizers alternate."""
    import torch

    from charrnn import ModelConfig, RecurrentModel, TrainingConfig
    from charrnn.models.language_model import State
    from charrnn.training.optim.optimizer import ModelOptimizer
    from charrnn.training.optim.precision import dtype_of
    from charrnn.training.step import TakeStep, make_step

    config = TrainingConfig()
    steps: dict[str, TakeStep] = {}
    states: dict[str, State | None] = dict.fromkeys(optimizers)
    times: dict[str, list[float]] = {name: [] for name in optimizers}
    for name in optimizers:
        torch.manual_seed(0)
        model = RecurrentModel(ModelConfig(cell=cell, hidden_size=width), 65).train()
        dtype = dtype_of(config, model.device)
        steps[name] = make_step(ModelOptimizer(model, TrainingConfig(optimizer=name), dtype))
    rows = torch.randint(0, 65, (config.batch_size, config.seq_length + 1))
    torch.set_flush_denormal(True)  # as a training does
    for number in range(UNTIMED + pairs):
        for name in optimizers:
            started = time.perf_counter()
            _, states[name] = steps[name]((rows[:, :-1], rows[:, 1:]), states[name], 1e-3, 1.0)
            if number >= UNTIMED:
                times[name].append(time.perf_counter() - started)
    torch.set_flush_denormal(False)
    return times


def steps_rows() -> Iterator[Row]:
    """Measure the part `steps`."""
    for width in WIDTHS:
        times = step_times("lstm", width, ("adamw", "muon"))
        ratio = statistics.median(m / a for a, m in zip(times["adamw"], times["muon"], strict=True))
        yield {"model": f"lstm 2x{width}", **_milliseconds(times), "muon_to_adamw": round(ratio, 3)}


def plain_rows() -> Iterator[Row]:
    """Measure training and sampling, with the C kernels unless CHARRNN_COMPILE is 0."""
    import torch

    from charrnn import ModelConfig, RecurrentModel, SamplingConfig, Vocabulary, generate

    for cell in CELLS:
        torch.manual_seed(0)
        model = RecurrentModel(ModelConfig(cell=cell, hidden_size=192), 65).eval()
        vocabulary = Vocabulary("".join(chr(33 + i) for i in range(65)))
        started = time.perf_counter()
        for _ in generate(model, vocabulary, SamplingConfig(length=WRITTEN, seed=1)):
            pass
        seconds = time.perf_counter() - started
        times = step_times(cell, 192, ("adamw",), pairs=8)
        yield {"cell": f"{cell} 2x192", **_milliseconds(times), "written_per_second": round(WRITTEN / seconds)}


def allowed_rows() -> Iterator[Row]:
    """Measure the last two thirds of a short training."""
    import numpy as np
    import torch

    from charrnn import ModelConfig, RecurrentModel, Streams, TrainingConfig
    from charrnn.training.loop import Training

    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(0, 65, 100_000).astype(np.uint8)
    config = TrainingConfig(steps=SPEED_STEPS)
    streams = Streams(ids, config.batch_size, config.seq_length)
    training = Training(RecurrentModel(ModelConfig(hidden_size=128), 65), streams, ids[:0], config)
    ends = []
    for step in training.steps():
        step.loss.item()
        ends.append(time.perf_counter())
    timed = ends[SPEED_STEPS // 3 :]
    speed = config.batch_size * config.seq_length * (len(timed) - 1) / (timed[-1] - timed[0])
    yield {"model": "lstm 2x128", "chars_per_second": round(speed), "threads": training.tuner.threads}


def _milliseconds(times: dict[str, list[float]]) -> Row:
    return {f"{name}_ms": round(1000 * statistics.median(seconds), 1) for name, seconds in times.items()}


def about(row: Row) -> tuple[object, ...]:
    """Return the identity of a row: a new measurement replaces the row with the same identity."""
    if "run" in row:
        return row["run"], row.get("one loop")
    return (row.get("model"), row.get("cell"))


def machine_row() -> Iterator[Row]:
    """Describe the machine with the current instruction set."""
    from machine import machine

    yield machine()


CHILDREN = {"steps": steps_rows, "plain": plain_rows, "machine": machine_row, "allowed": allowed_rows}


def child(what: str, environment: dict[str, str]) -> list[Row]:
    """Run a part in a process with environment variables that choose the instruction set, and return its rows."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", what]
    done = subprocess.run(command, env=os.environ | environment, check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.splitlines()]


def charrnn(folder: Path, environment: dict[str, str], *words: str) -> tuple[Any, float]:
    """Run a charrnn command, and return the JSON that it prints and its seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "charrnn", *words, "--json"]
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, check=True, capture_output=True)
    return json.loads(done.stdout), round(time.perf_counter() - started, 1)


def trained(folder: Path, environment: dict[str, str], text: Path, minutes: str, *extra: str) -> Row:
    """Run a training as a user types it."""
    words = ("train", str(text), "--minutes", minutes, "--out", "model", "--force", *extra)
    printed, seconds = charrnn(folder, environment, *words)
    return {
        "run": " ".join(["charrnn train", text.stem, "--minutes", minutes, *extra]),
        "seconds": seconds,
        **{name: printed[name] for name in ("model", "steps", "nats_per_char", "bits_per_char", "characters", "rule")},
    }


def quality_rows(folder: Path, environment: dict[str, str], options: argparse.Namespace) -> Iterator[Row]:
    """Measure the part `quality`."""
    for minutes in options.minutes:
        yield trained(folder, environment, options.text, minutes)
    for minutes in options.mixed_minutes:
        yield trained(folder, environment, options.text, minutes, "--with-ngram")
    if options.shakespeare:
        for minutes in options.shakespeare_minutes:
            yield trained(folder, environment, options.shakespeare, minutes)
        for minutes in options.shakespeare_mixed_minutes:
            yield trained(folder, environment, options.shakespeare, minutes, "--with-ngram")
    for text in filter(None, (options.text, options.shakespeare)) if options.ngrams else ():
        for extra in ((), ("--blend",)):
            fit, seconds = charrnn(folder, environment, "ngram", str(text), *extra, "--force")
            names = ("entries", "nats_per_char", "bits_per_char")
            run = " ".join(["charrnn ngram", text.stem, *extra])
            yield {"run": run, "seconds": seconds, **{name: fit[name] for name in names}}


def allowed(environment: dict[str, str]) -> Iterator[Row]:
    """Measure the part `allowed`: for each number of threads, the median of rounds in which all alternate."""
    rounds = [
        [child("allowed", environment | {"OMP_NUM_THREADS": str(number)})[0] for number in ALLOWED]
        for _ in range(ROUNDS)
    ]
    for number, rows in zip(ALLOWED, zip(*rounds, strict=True), strict=True):
        middle = sorted(rows, key=lambda row: float(row["chars_per_second"]))[ROUNDS // 2]
        yield {"cell": f"{number} allowed", **middle}


def busy_rows(folder: Path, environment: dict[str, str], options: argparse.Namespace) -> Iterator[Row]:
    """Measure the part `busy`."""
    from load import busy

    context = multiprocessing.get_context("spawn")
    for when, seconds in BUSY_SECONDS.items():
        loop = context.Process(target=busy, args=(seconds,), daemon=True)
        loop.start()
        yield {"one loop": when, **trained(folder, environment, options.text, "1")}
        loop.kill()
        loop.join()


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each row, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="Tiny Shakespeare, for `quality` and `busy`")
    parser.add_argument("--shakespeare", type=Path, help="all of Shakespeare, for more rows of `quality`")
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS, help="parts to run (default: all)")
    parser.add_argument("--sets", nargs="*", default=tuple(SETS), choices=tuple(SETS), help="sets (default: both)")
    parser.add_argument("--minutes", nargs="*", default=["1", "3", "10"], help="time budgets without n-grams")
    parser.add_argument("--mixed-minutes", nargs="*", default=["1", "3", "10"], help="time budgets with --with-ngram")
    parser.add_argument("--shakespeare-minutes", nargs="*", default=["3", "10"], help="the same for --shakespeare")
    parser.add_argument("--shakespeare-mixed-minutes", nargs="*", default=["3", "10"], help="the same, with n-grams")
    parser.add_argument("--ngrams", action="store_true", help="also fit n-grams alone, for `quality`")
    parser.add_argument("--out", type=Path, help="JSON file for the results; existing results are kept")
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        for row in CHILDREN[options.child]():
            print(json.dumps(row), flush=True)
        return
    if options.text is None and {"quality", "busy"} & set(options.parts):
        parser.error("the parts quality and busy need a text; pass the path of tinyshakespeare.txt")
    options.text = options.text and options.text.resolve()
    options.shakespeare = options.shakespeare and options.shakespeare.resolve()
    result: dict[str, Any] = {}
    if options.out and options.out.exists():  # parts may be measured one after the other
        result = json.loads(options.out.read_text(encoding="utf-8"))

    def add(name: str, part: str, row: Row) -> None:
        rows = result[name].setdefault(part, [])
        same = [i for i, before in enumerate(rows) if about(before) == about(row)]
        if same:
            rows[same[0]] = row  # a new measurement replaces the old one
        else:
            rows.append(row)
        print(name, part, json.dumps(row), flush=True)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        for part in options.parts:
            for name in options.sets:
                environment = SETS[name]
                result.setdefault(name, {})["machine"] = child("machine", environment)[0]
                if part == "plain":
                    with_c, without = child(part, environment), child(part, environment | {"CHARRNN_COMPILE": "0"})
                    for ours, theirs in zip(with_c, without, strict=True):
                        shares = {
                            "training_share": round(ours["adamw_ms"] / theirs["adamw_ms"], 2),
                            "writing_share": round(theirs["written_per_second"] / ours["written_per_second"], 2),
                        }
                        add(name, part, {"cell": ours["cell"], **shares, "with_c": ours, "without": theirs})
                elif part == "allowed":
                    for row in allowed(environment):
                        add(name, part, row)
                elif part == "steps":
                    for row in child(part, environment):
                        add(name, part, row)
                else:
                    rows = quality_rows if part == "quality" else busy_rows
                    for row in rows(folder, environment, options):
                        add(name, part, row)


if __name__ == "__main__":
    main()
