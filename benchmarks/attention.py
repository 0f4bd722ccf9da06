"""Compare a training step of `--cell attention` with a Transformer of the same size, written as nanoGPT writes it.

    python benchmarks/attention.py [--pairs 20] [--out attention.json]

The peer has the blocks of nanoGPT (github.com/karpathy/nanoGPT): layer norms before causal self-attention
(`scaled_dot_product_attention`) and feed-forward layers, learned positions, a layer norm before the head; it reads
each row from scratch. charrnn's network carries the keys and values of the last W − 1 characters along, so each of its
characters sees up to W characters instead of T / 2 on average. Both take steps of AdamW, in the same precision, on the
same batches; steps alternate. Prints a line of JSON per shape with the median milliseconds and the median ratio of
pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch import Tensor, nn
from torch.nn import functional

from charrnn import ModelConfig, RecurrentModel, TrainingConfig
from charrnn.models.language_model import State
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import reuse_freed_memory, take_step

SHAPES = ((4, 128, 12, 64, 64), (4, 128, 12, 64, 256), (4, 256, 32, 128, 128), (4, 256, 32, 128, 256))
"""Layers, width, rows, length T and window W. The first one is nanoGPT's example for a CPU."""
VOCAB_SIZE, HEAD_SIZE, UNTIMED = 65, 32, 3


class Block(nn.Module):
    """A block of nanoGPT's model."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, -1, HEAD_SIZE).transpose(1, 2)
            for part in self.project(self.norm(x)).split(width, dim=2)
        )
        heard = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.merge(heard.transpose(1, 2).reshape(rows, length, width))
        y: Tensor = x + self.contract(functional.gelu(self.expand(self.norm2(x))))
        return y


class Peer(nn.Module):
    """nanoGPT's model."""

    def __init__(self, layers: int, width: int, length: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCAB_SIZE, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCAB_SIZE)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


def compare(layers: int, width: int, rows: int, length: int, window: int, pairs: int) -> dict[str, Any]:
    """Return the medians of alternating steps of both networks."""
    torch.manual_seed(0)
    config = TrainingConfig(optimizer="adamw", learning_rate=1e-3)
    model = RecurrentModel(ModelConfig("attention", layers, width, window=window), VOCAB_SIZE).train()
    dtype = dtype_of(config, model.device)
    optimizer = ModelOptimizer(model, config, dtype)
    peer = Peer(layers, width, length).train()
    peer_optimizer = torch.optim.AdamW(peer.parameters(), 1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    state: State | None = None
    times: dict[str, list[float]] = {"charrnn": [], "peer": []}
    with reuse_freed_memory():
        for number in range(UNTIMED + pairs):
            text = torch.randint(0, VOCAB_SIZE, (rows, length + 1))
            inputs, targets = text[:, :-1], text[:, 1:]
            started = time.perf_counter()
            _, state = take_step(optimizer, (inputs, targets), state, 1e-3)
            middle = time.perf_counter()
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                logits = peer(inputs)
            functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten()).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
            peer_optimizer.step()
            peer_optimizer.zero_grad(set_to_none=True)
            if number >= UNTIMED:
                times["charrnn"].append(middle - started)
                times["peer"].append(time.perf_counter() - middle)
    ratios = [own / other for own, other in zip(times["charrnn"], times["peer"], strict=True)]
    return {
        "layers": layers,
        "width": width,
        "rows": rows,
        "length": length,
        "window": window,
        "parameters": model.parameter_count,
        "peer_parameters": sum(parameter.numel() for parameter in peer.parameters()),
        "precision": str(dtype).removeprefix("torch."),
        "charrnn_ms": round(1000 * statistics.median(times["charrnn"]), 2),
        "peer_ms": round(1000 * statistics.median(times["peer"]), 2),
        "charrnn_to_peer": round(statistics.median(ratios), 3),
    }


def main() -> None:
    """Measure and print each shape, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="timed steps of each network")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    rows = []
    for shape in SHAPES:
        rows.append(compare(*shape, options.pairs))
        print(json.dumps(rows[-1]), flush=True)
    if options.out:
        options.out.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
