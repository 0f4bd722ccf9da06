"""Measure training speed compared with a plain PyTorch program: nn.Embedding → nn.LSTM → nn.Linear, AdamW.

    python benchmarks/training.py [--rounds 9] [--out benchmarks/results/training.json]

Prints a line of JSON per cell and shape; takes some minutes. Whole training steps of both programs alternate in one
process, with all threads; ratios are medians over rounds of the plain step's time divided by charrnn's. `float32` is
the same computation as the plain program's; `auto` is the precision that charrnn uses on this machine. The first line
is the speed of large matrix products, a bound for the operations per second of a step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch import Tensor, nn
from torch.nn import functional

from charrnn import ModelConfig, RecurrentModel, TrainingConfig
from charrnn.models.kernels.scan import gated_scan, scan, scan_reference
from charrnn.training.budget.sizes import weights_of
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import reuse_freed_memory, take_step

Step = Callable[[], object]
VOCAB_SIZE = 65
SHAPES = ((2, 128, 50, 50), (2, 256, 16, 64), (3, 512, 64, 64))
"""(layers, hidden size, batch size, sequence length)."""
PEERS: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
RATE = 1e-3
"""Learning rate."""
SCAN_SHAPES = ((16, 512, 256), (16, 512, 64), (4, 512, 128))
"""(batch size, length, width)."""


class Peer(nn.Module):
    """The plain PyTorch program's model."""

    def __init__(self, cell: str, layers: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE, width)
        self.core = PEERS[cell](width, width, layers, batch_first=True, dropout=dropout)
        self.head = nn.Linear(width, VOCAB_SIZE)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits and the state."""
        y, state = self.core(self.embedding(tokens), state)
        return self.head(y), state


def peer_step(cell: str, shape: tuple[int, int, int, int], dropout: float, batch: tuple[Tensor, Tensor]) -> Step:
    """Return a function that takes a training step of the plain program and carries the state."""
    layers, width, _, _ = shape
    model = Peer(cell, layers, width, dropout).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    carried: list[Any] = [None]

    def step() -> None:
        logits, state = model(batch[0], carried[0])
        carried[0] = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        optimizer.zero_grad()
        functional.cross_entropy(logits.flatten(0, 1), batch[1].flatten()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def our_step(
    cell: str, shape: tuple[int, int, int, int], dropout: float, batch: tuple[Tensor, Tensor], **settings: Any
) -> Step:
    """Return a function that takes a training step of charrnn and carries the state."""
    layers, width, _, _ = shape
    config = TrainingConfig(**settings)
    model = RecurrentModel(ModelConfig(cell, layers, width, dropout=dropout), VOCAB_SIZE).train()
    dtype = dtype_of(config, model.device)
    optimizer = ModelOptimizer(model, config, dtype)
    carried: list[Any] = [None]

    def step() -> None:
        _, carried[0] = take_step(optimizer, batch, carried[0], RATE)

    return step


def times(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each step in each round; steps alternate, and a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def product_rate(dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product."""
    a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
    seconds = times({"product": lambda: a.mm(b)}, 9)["product"]
    return 2 * 2048**3 / statistics.median(seconds)


def row(cell: str, shape: tuple[int, int, int, int], dropout: float, rounds: int) -> dict[str, Any]:
    """Measure both programs with one cell and shape."""
    layers, width, batch_size, length = shape
    torch.manual_seed(0)
    tokens = torch.randint(0, VOCAB_SIZE, (batch_size, length + 1))
    batch = tokens[:, :-1], tokens[:, 1:]
    seconds: dict[str, list[float]] = {}
    steps = {
        "peer": peer_step(cell, shape, dropout, batch),
        "float32": our_step(cell, shape, dropout, batch, optimizer="adamw", precision="float32"),
        "auto": our_step(cell, shape, dropout, batch, optimizer="adamw"),
        "auto, muon": our_step(cell, shape, dropout, batch),
    }
    seconds = times(steps, rounds)
    characters = batch_size * length
    weights = weights_of(ModelConfig(cell, layers, width)) + width * VOCAB_SIZE
    operations = 6 * characters * weights
    return {
        "cell": cell,
        "shape": f"{layers}x{width}",
        "batch": f"{batch_size}x{length}",
        "dropout": dropout,
        "gigaoperations": round(operations / 1e9, 2),
        "peer_chars_per_second": round(characters / statistics.median(seconds["peer"])),
        **{
            name: {
                "chars_per_second": round(characters / statistics.median(seconds[name])),
                "times_the_peer": round(
                    statistics.median(p / o for p, o in zip(seconds["peer"], seconds[name], strict=True)), 2
                ),
                "gigaoperations_per_second": round(operations / statistics.median(seconds[name]) / 1e9, 1),
            }
            for name in steps
            if name != "peer"
        },
    }


def scan_row(shape: tuple[int, int, int], rounds: int) -> dict[str, Any]:
    """Measure scans, plain and with minGRU's gates, forward and backward, and the Python loops that define them."""
    torch.manual_seed(0)
    rows, _, width = shape
    a, b, grad = (torch.rand(shape, requires_grad=True) for _ in range(3))
    gates, h0 = torch.randn(*shape[:2], 2 * width, requires_grad=True), torch.zeros(rows, width, requires_grad=True)

    def gated_loop(gates: Tensor, h0: Tensor) -> Tensor:
        h, out = h0, []
        for step in gates.unbind(1):
            z, candidate = step.chunk(2, dim=1)
            z = torch.sigmoid(z)
            h = (1 - z) * h + z * candidate
            out.append(h)
        return torch.stack(out, 1)

    def through(recurrence: Callable[..., Tensor], *inputs: Tensor) -> Step:
        return lambda: torch.autograd.grad(recurrence(*inputs), inputs, grad)

    seconds = times(
        {
            "loop": through(scan_reference, a, b, h0),
            "scan": through(scan, a, b, h0),
            "gated_loop": through(gated_loop, gates, h0),
            "gated_scan": through(gated_scan, gates, h0),
        },
        rounds,
    )
    return {
        "scan": "x".join(map(str, shape)),
        "milliseconds": {name: round(1000 * statistics.median(rounds), 2) for name, rounds in seconds.items()},
        **{
            f"{name}_times_its_loop": round(
                statistics.median(p / o for p, o in zip(seconds[loop], seconds[name], strict=True)), 1
            )
            for name, loop in (("scan", "loop"), ("gated_scan", "gated_loop"))
        },
    }


def main() -> None:
    """Measure and print each row, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of each program")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    result: dict[str, Any] = {
        "machine": machine(),
        "product_gigaoperations_per_second": {
            name: round(product_rate(getattr(torch, name)) / 1e9, 1) for name in ("float32", "bfloat16")
        },
        "rows": [],
    }
    print(json.dumps(result["product_gigaoperations_per_second"]), flush=True)
    with reuse_freed_memory():  # as in a training; the plain program gains, too
        for cell in PEERS:
            for shape in SHAPES:
                for dropout in (0.0, 0.2) if cell == "lstm" else (0.0,):
                    result["rows"].append(row(cell, shape, dropout, options.rounds))
                    print(json.dumps(result["rows"][-1]), flush=True)
        for scanned in SCAN_SHAPES:
            result["rows"].append(scan_row(scanned, options.rounds))
            print(json.dumps(result["rows"][-1]), flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
