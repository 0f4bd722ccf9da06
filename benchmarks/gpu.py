"""Measure training speed, sampling speed and quality for time on a GPU, compared with PyTorch's layers.

    python benchmarks/gpu.py [tinyshakespeare.txt] --first-light [--out results/gpu.json]
    python benchmarks/gpu.py [tinyshakespeare.txt] [--shakespeare all.txt] [--only training] [--out results/gpu.json]

The first form is for a kind of GPU that charrnn has never run on: ten minutes, correctness first (gpu_first_light.py).

The second form prints a table for each part, each within ten minutes; without a GPU it only says so:
  training     training steps of an LSTM in four precisions, compared with nn.LSTM, and the share of the bound: the time
               of the step's matrix products at the speed of a large product in the same precision
  layer        a minGRU layer forward and backward, compared with nn.GRU, and its scan, compared with the time to move
               its bytes
  sampling     an LSTM 3x512 that generates 1, 64 and 4,096 texts in a batch, with drawing on the device
  minutes      the loss that time budgets reach on Tiny Shakespeare, and the time to a validation loss of 1.47 nats
  shakespeare  an LSTM 3x512 on all of Shakespeare, as Karpathy trained it: the time to his loss
Seconds do not include start-up (Python, CUDA, measuring the speed); training seconds do not include validations. In
`bf16` charrnn's LSTM computes in fp16, because PyTorch's autocast passes only fp16 to cuDNN; nn.LSTM has bf16 weights.
`--quick --device cpu` runs everything with tiny sizes to test the program; the figures mean nothing.
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
    """Yield the rows of a part."""
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
    """Print the rows of a part as a table with a column for each key."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([format(row.get(name, ""), "") for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    print(f"\n{part}")
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each part, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="Tiny Shakespeare, for the part `minutes`")
    parser.add_argument("--shakespeare", type=Path, help="all of Shakespeare, for the part of that name")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part to run (repeatable; default: all)")
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.25, 0.5, 2.0], help="time budgets")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="batch sizes of the part `minutes`")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the program; figures mean nothing")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--first-light", action="store_true", help="run the ten minutes of gpu_first_light.py")
    parser.add_argument("--stage", choices=STAGES, help="run one stage of --first-light in this process")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU found; nothing was measured")
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
            print(f"\n{part}: skipped, because its text is missing (see --help)")
            continue
        show(part, rows)
        result[part] = rows
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
