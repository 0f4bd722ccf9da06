"""Measure sampling and scoring speed, compared with a plain PyTorch program and a plain NumPy step.

    OPENBLAS_NUM_THREADS=1 python benchmarks/sampling.py [--only one] [--out benchmarks/results/sampling-cpu.json]

Prints a line of JSON per row; takes some minutes. Figures are medians over rounds in which the programs alternate;
ratios are medians of the ratios within a round. Parts:
  one      sampling one text of 1,000 characters on one thread with a new model, so that packing the weights, drawing
           and decoding are included. `loop` is a plain PyTorch program (nn.LSTM, softmax, multinomial, .item()) in a
           process of its own, with fewer characters, because it is slow; `numpy` is a plain NumPy step with a table
           instead of the first layer's product, softmax and drawing.
  many     sampling 64 and 1,024 texts in one batch, drawing and decoding included
  scoring  scoring 1,000,000 random characters in order with a carried state and all threads, compared with PyTorch's
           layers on a tenth of them
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from training import PEERS, VOCAB_SIZE, Peer, times

from charrnn import ModelConfig, RecurrentModel, SamplingConfig, Vocabulary, evaluate
from charrnn.models.kernels import build
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.generate import start_batch

Row = dict[str, Any]
PARTS = ("one", "many", "scoring")
SHAPES = (("lstm", 2, 128), ("lstm", 2, 256), ("lstm", 3, 512), ("gru", 2, 256), ("mingru", 2, 256))
QUICK_SHAPES = (("lstm", 2, 8), ("mingru", 1, 8))
LOOP_SECONDS = 0.5
"""Maximum seconds per round for the plain PyTorch program."""
VOCABULARY = Vocabulary("".join(map(chr, range(48, 48 + VOCAB_SIZE))))


def make(cell: str, layers: int, width: int) -> RecurrentModel:
    """Return a new model, whose weights are not yet packed."""
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(cell, layers, width, residual=False), VOCAB_SIZE).eval()


def ours(model: LanguageModel, count: int, length: int) -> int:
    """Generate `count` texts in one batch, and return the number of characters."""
    batch = start_batch(model, VOCABULARY, SamplingConfig(length=length, seed=0), count=count)
    characters = 0
    while not batch.finished:
        characters += len(batch.step())
    return characters


def loop(cell: str, layers: int, width: int) -> Callable[[int], None]:
    """Return a function that generates a number of characters with the plain PyTorch program."""
    model = Peer(cell, layers, width, 0.0).eval()

    def generate(length: int) -> None:
        token, state = torch.tensor([[0]]), None
        with torch.no_grad():
            for _ in range(length):
                logits, state = model(token, state)
                token = torch.multinomial(torch.softmax(logits[0, -1], -1), 1)[None]
                token.item()

    return generate


class LoopProcess:
    """The plain PyTorch program in a process of its own, as a user would run it.

    In a process that has used much memory before, the C library keeps the memory that oneDNN needs at each call for its
    copies of the weights, and a 3x512 loop is several times as fast; a new process asks the system for it each time.
    """

    def __init__(self, cell: str, layers: int, width: int) -> None:
        command = [sys.executable, __file__, "--loop", cell, str(layers), str(width)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, length: int) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{length}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def serve_loop(cell: str, layers: int, width: int) -> None:
    """Run `LoopProcess`'s program: each line on standard input is a number of characters to generate."""
    torch.set_num_threads(1)
    generate = loop(cell, layers, width)
    for line in sys.stdin:
        generate(int(line))
        print("done", flush=True)


def in_numpy(model: RecurrentModel) -> Callable[[int], tuple[list[int], Any]]:
    """Return a function that samples from an LSTM in NumPy, and returns the tokens and the last logits."""
    weights = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    layers = []
    for k in range(model.config.num_layers):
        w, u, b, c = (weights[f"cells.{k}.core.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        layers.append((w, u, b + c))
    head, head_bias = weights["head.weight"], weights["head.bias"]
    width = model.config.hidden_size

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def generate(length: int) -> tuple[list[int], Any]:
        random = np.random.default_rng(0)
        table = weights["embedding.weight"] @ layers[0][0].T + layers[0][2]
        h, c = np.zeros((2, len(layers), width), np.float32)
        x, token, drawn = h[0], 0, []
        for _ in range(length):
            for k, (w, u, bias) in enumerate(layers):
                gates = (table[token] if k == 0 else w @ x + bias) + u @ h[k]
                i, f, o = sigmoid(gates[:width]), sigmoid(gates[width : 2 * width]), sigmoid(gates[3 * width :])
                c[k] = f * c[k] + i * np.tanh(gates[2 * width : 3 * width])
                x = h[k] = o * np.tanh(c[k])
            logits = head @ x + head_bias
            sums = np.exp(logits - logits.max()).cumsum()
            token = int(sums.searchsorted(random.random() * sums[-1]))
            drawn.append(token)
        return drawn, logits

    return generate


def one(shapes: tuple[tuple[str, int, int], ...], length: int, rounds: int, quick: bool) -> list[Row]:
    """Measure sampling one text with each shape."""
    rows = []
    torch.set_num_threads(1)
    for cell, layers, width in shapes:
        models = [make(cell, layers, width) for _ in range(rounds + 1)]
        steps: dict[str, Callable[[], object]] = {"ours": lambda models=models: ours(models.pop(), 1, length)}  # type: ignore[misc]
        lengths = {"ours": length, "numpy": length}
        if cell == "lstm":
            numpy_program = in_numpy(models[0])
            steps["numpy"] = lambda program=numpy_program: program(length)  # type: ignore[misc]
        slow: LoopProcess | Callable[[int], None] | None = None
        if cell in PEERS:
            slow = loop(cell, layers, width) if quick else LoopProcess(cell, layers, width)
            slow(2)
            started = time.perf_counter()
            slow(5)
            lengths["loop"] = min(length, max(5, int(LOOP_SECONDS / (time.perf_counter() - started) * 5)))
            steps["loop"] = lambda slow=slow, count=lengths["loop"]: slow(count)  # type: ignore[misc]
        seconds = times(steps, rounds)
        if isinstance(slow, LoopProcess):
            slow.end()
        per_char = {name: [s / lengths[name] for s in by_round] for name, by_round in seconds.items()}
        row: Row = {"cell": cell, "shape": f"{layers}x{width}"}
        row["microseconds_per_char"] = {name: round(1e6 * statistics.median(s), 1) for name, s in per_char.items()}
        row["chars_per_second"] = round(1 / statistics.median(per_char["ours"]))
        for name in per_char.keys() - {"ours"}:
            ratios = [peer / own for peer, own in zip(per_char[name], per_char["ours"], strict=True)]
            row[f"times_{name}"] = round(statistics.median(ratios), 1)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def many(shapes: tuple[tuple[str, int, int], ...], length: int, rounds: int) -> list[Row]:
    """Measure sampling batches of texts."""
    rows = []
    for count, threads in ((64, 1), (64, os.cpu_count() or 1), (1024, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        for cell, layers, width in shapes:
            model = make(cell, layers, width)
            seconds = times({"ours": lambda model=model, count=count: ours(model, count, length)}, rounds)["ours"]  # type: ignore[misc]
            rows.append(
                {"cell": cell, "shape": f"{layers}x{width}", "texts": count, "threads": torch.get_num_threads()}
            )
            rows[-1]["chars_per_second"] = round(count * length / statistics.median(seconds))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def scoring(shapes: tuple[tuple[str, int, int], ...], length: int, rounds: int) -> list[Row]:
    """Measure scoring a text."""
    rows = []
    torch.set_num_threads(os.cpu_count() or 1)
    ids = np.random.default_rng(0).integers(0, VOCAB_SIZE, length)
    for cell, layers, width in shapes:
        model = make(cell, layers, width)

        def in_pytorch(model: RecurrentModel = model) -> None:
            before, os.environ[build.SWITCH] = os.environ.get(build.SWITCH), "0"
            evaluate(model, ids[: length // 10])
            if before is None:
                del os.environ[build.SWITCH]
            else:
                os.environ[build.SWITCH] = before

        def in_c(model: RecurrentModel = model) -> None:
            evaluate(model, ids)

        seconds = times({"ours": in_c, "pytorch": in_pytorch}, rounds)
        in_c_seconds, pytorch_seconds = seconds["ours"], [10 * s for s in seconds["pytorch"]]
        rows.append(
            {
                "cell": cell, "shape": f"{layers}x{width}", "characters": length, "threads": torch.get_num_threads(),
                "seconds": round(statistics.median(in_c_seconds), 2),
                "chars_per_second": round(length / statistics.median(in_c_seconds)),
                "times_pytorch": round(
                    statistics.median(p / c for p, c in zip(pytorch_seconds, in_c_seconds, strict=True)), 2
                ),
            }
        )  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each row, and write the JSON file after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each program")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part to run (repeatable; default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the program; figures mean nothing")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--loop", nargs=3, metavar=("CELL", "LAYERS", "WIDTH"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.loop:
        cell, layers, width = options.loop
        serve_loop(cell, int(layers), int(width))
        return
    shapes = QUICK_SHAPES if options.quick else SHAPES
    threads = torch.get_num_threads()
    result: Row = {"machine": machine(), "openblas_num_threads": os.environ.get("OPENBLAS_NUM_THREADS")}
    for part in options.only or PARTS:
        if part == "one":
            result[part] = one(shapes, 20 if options.quick else 1000, options.rounds, options.quick)
        elif part == "many":
            result[part] = many(shapes[:1], 5 if options.quick else 200, options.rounds)
        else:
            scored_shapes = shapes if options.quick else (("lstm", 2, 192), ("lstm", 2, 256), ("gru", 2, 256))
            result[part] = scoring(scored_shapes, 200 if options.quick else 1_000_000, max(1, options.rounds // 2))
        torch.set_num_threads(threads)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
