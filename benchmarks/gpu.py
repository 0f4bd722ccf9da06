"""How fast charrnn trains on a GPU, and how well in minutes, beside PyTorch's layers and the bounds of the machine.

    python benchmarks/gpu.py [tinyshakespeare.txt] --first-light [--out results/gpu.json]
    python benchmarks/gpu.py [tinyshakespeare.txt] [--shakespeare all.txt] [--only training] [--out results/gpu.json]

The first form is for a GPU that nothing has run on yet: ten minutes, correctness first (gpu_first_light.py).

Where there is no GPU it says so. Parts, each within ten minutes:
  training     whole steps of the LSTM in four precisions, beside nn.LSTM in the same, and the share of the bound: what
               the products of a step would take at the rate of a large one in the same precision, in this run
  layer        a minGRU layer forward and backward beside nn.GRU, and its scan beside the time to move its bytes
  sampling     an LSTM 3x512 that writes one text, and 4,096 side by side: the stepper, drawing on the device included
  minutes      what a budget of minutes reaches on Tiny Shakespeare, and when it was first below 1.47 nats
  shakespeare  Karpathy's setting, an LSTM 3x512 on all of Shakespeare: when it was first below his loss
Seconds are without start-up (Python, CUDA, measuring the speed); those of training without validations too. In `bf16`
the LSTM of charrnn is in fp16 all the same, for PyTorch's autocast hands cuDNN no other; the peer's weights are bf16.
`--quick --device cpu` runs all of it, tiny, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from gpu_first_light import STAGES, first_light, run_stage, stage_options
from gpu_quality import budgets, karpathys
from gpu_speed import layer, product_rates, sampling, training
from machine import machine

Row = dict[str, Any]
PARTS = ("training", "layer", "sampling", "minutes", "shakespeare")


def rows_of(part: str, options: argparse.Namespace, device: torch.device) -> Iterator[Row]:
    """The rows of one part of the table."""
    if part == "training":
        yield from training(device, options.rates, options.quick)
    elif part == "layer":
        yield from layer(device, options.rates, options.quick)
    elif part == "sampling":
        yield from sampling(device, options.quick)
    elif part == "minutes" and options.text:
        yield from budgets(options.text, options.minutes, options.batch, device)
    elif part == "shakespeare" and options.shakespeare:
        yield from karpathys(options.shakespeare, max(options.minutes), options.quick, device)


def show(part: str, rows: list[Row]) -> None:
    """A part as a table, a column for each name."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([format(row.get(name, ""), "") for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    print(f"\n{part}")
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main(arguments: list[str] | None = None) -> None:
    """Run, print the table, and write the JSON after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="Tiny Shakespeare, for the part `minutes`")
    parser.add_argument("--shakespeare", type=Path, help="all of Shakespeare, for the part of that name")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be said several times")
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.25, 0.5, 2.0])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--first-light", action="store_true", help="the ten minutes of gpu_first_light.py")
    parser.add_argument("--stage", choices=STAGES, help="one of its stages, in this process")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU here: nothing was measured")
        return
    if options.stage:
        run_stage(options.stage, stage_options(options))
        return
    if options.first_light:
        first_light(stage_options(options), options.out)
        return
    options.rates = product_rates(device, options.quick)
    result: Row = {"machine": machine(), "quick": options.quick, "product_operations_per_second": options.rates}
    print(json.dumps(result))
    for part in options.only or PARTS:
        rows = list(rows_of(part, options, device))
        if not rows:
            print(f"\n{part}: no text was given")
            continue
        show(part, rows)
        result[part] = rows
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
