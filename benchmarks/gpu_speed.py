"""The parts of gpu.py on speed: training steps, minGRU layers and sampling, compared with PyTorch's layers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from training import RATE, VOCAB_SIZE, Peer

from charrnn import ModelConfig, RecurrentModel, TrainingConfig
from charrnn.models.kernels.scan import gated_scan
from charrnn.models.rnn.cells import MinGRU
from charrnn.models.rnn.cuda_graph import BLOCK_LENGTH, STEPS_BEFORE_CAPTURE, CudaGraphStepper
from charrnn.models.stepper import Logits, TemperatureSampler, Tokens
from charrnn.training.budget.sizes import weights_of
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.step import make_step

Row = dict[str, Any]
Step = Callable[[], object]
PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SHAPES = ((2, 128), (2, 256), (3, 512), (3, 1024))
"""(layers, hidden size)."""
BATCH, LENGTH = 128, 64
"""Batch size (the maximum of cuDNN's persistent kernels) and sequence length."""
LAYER_ROWS, LAYER_WIDTH = 16, 512
LAYER_LENGTHS = (512, 2048)
WARM_UP = 5
"""Number of first steps that are not timed."""
ROUNDS, STEPS = 7, 10
"""Number of rounds, and of steps timed together in a round."""


def times(steps: dict[str, Step], device: torch.device, quick: bool) -> dict[str, list[float]]:
    """Return the seconds of each step in each round.

    Steps alternate; several are timed together, so that the host can run ahead of the GPU as in a training.
    """
    rounds, together = (1, 1) if quick else (ROUNDS, STEPS)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(1 if quick else WARM_UP):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            _wait(device)
            started = time.perf_counter()
            for _ in range(together):
                step()
            _wait(device)
            seconds[name].append((time.perf_counter() - started) / together)
    return seconds


def set_tf32(on: bool) -> None:
    """Allow or forbid TF32 in float32 matrix products; cuDNN allows it by default."""
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn.rnn):
        backend.fp32_precision = "tf32" if on else "ieee"  # type: ignore[union-attr]


def product_rates(device: torch.device, quick: bool) -> dict[str, float]:
    """Return the operations per second of a large matrix product in each precision (on a CPU: only float32)."""
    size, rates = 64 if quick else 8192, {}
    for name, dtype in PRECISIONS.items() if device.type == "cuda" else [("fp32", torch.float32)]:
        set_tf32(name == "tf32")
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        rates[name] = 2 * size**3 / statistics.median(times({"mm": partial(a.mm, b)}, device, quick)["mm"])
    return rates


def training(device: torch.device, rates: dict[str, float], quick: bool) -> Iterator[Row]:
    """Measure training steps for each shape and precision with AdamW, and for each shape with Muon."""
    batch, length = (2, 3) if quick else (BATCH, LENGTH)
    for layers, width in ((2, 8),) if quick else SHAPES:
        characters = batch * length
        operations = 6 * characters * (weights_of(ModelConfig("lstm", layers, width)) + width * VOCAB_SIZE)
        tokens = torch.randint(0, VOCAB_SIZE, (batch, length + 1))
        for name, optimizer in (*((name, "adamw") for name in rates), (list(rates)[-1], "muon")):
            set_tf32(name == "tf32")
            steps = {"ours": our_step(layers, width, tokens, PRECISIONS[name], optimizer, device)}
            if optimizer == "adamw":
                steps["peer"] = peer_step(layers, width, tokens, PRECISIONS[name], device)
            seconds = times(steps, device, quick)
            ours = statistics.median(seconds["ours"])
            row = {
                "shape": f"lstm {layers}x{width}",
                "batch": f"{batch}x{length}",
                "precision": name,
                "optimizer": optimizer,
                "chars_per_second": round(characters / ours),
                "share_of_bound": round(operations / rates[name] / ours, 3),
            }
            if "peer" in seconds:
                row["peer_chars_per_second"] = round(characters / statistics.median(seconds["peer"]))
                row["times_the_peer"] = _ratio(seconds["peer"], seconds["ours"])
            yield row


def our_step(layers: int, width: int, tokens: Tensor, dtype: torch.dtype, optimizer: str, device: torch.device) -> Step:
    """Return a function that takes a training step of charrnn; the state is carried, the batch comes from the host."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig("lstm", layers, width), VOCAB_SIZE).to(device).train()
    take_step = make_step(ModelOptimizer(model, TrainingConfig(optimizer=optimizer), dtype))
    carried: list[Any] = [None]

    def step() -> None:
        _, carried[0] = take_step((tokens[:, :-1], tokens[:, 1:]), carried[0], RATE, 1.0)

    return step


def peer_step(layers: int, width: int, tokens: Tensor, dtype: torch.dtype, device: torch.device) -> Step:
    """Return the plain program's training step: fp16 by autocast with a gradient scaler, bf16 with bf16 weights."""
    torch.manual_seed(0)
    is_half = dtype == torch.float16
    model = Peer("lstm", layers, width, 0.0).to(device, torch.float32 if is_half else dtype).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    scaler = torch.amp.GradScaler(device.type, enabled=is_half)
    carried: list[Any] = [None]

    def step() -> None:
        inputs, targets = tokens[:, :-1].to(device), tokens[:, 1:].to(device)
        with torch.autocast(device.type, dtype, enabled=is_half):
            logits, state = model(inputs, carried[0])
        carried[0] = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    return step


def layer(device: torch.device, rates: dict[str, float], quick: bool) -> Iterator[Row]:
    """Measure forward and backward passes of one layer, and of the scan alone, in fp32 and fp16."""
    rows, width = (2, 8) if quick else (LAYER_ROWS, LAYER_WIDTH)
    bandwidth = copy_rate(device, quick)
    set_tf32(False)
    for length in (3,) if quick else LAYER_LENGTHS:
        for name in sorted({"fp32", "fp16"} & set(rates)):
            dtype = PRECISIONS[name]
            torch.manual_seed(0)
            x = torch.randn(rows, length, width, device=device, requires_grad=True)
            h0 = torch.zeros(rows, width, device=device)
            gates = torch.randn(rows, length, 2 * width, device=device).to(dtype).requires_grad_()
            mingru, gru = MinGRU(width, width).to(device), nn.GRU(width, width, batch_first=True).to(device)
            half = None if dtype == torch.float32 else dtype
            steps = {
                "mingru": _through(_outputs, (mingru, x, h0), half),
                "gru": _through(_outputs, (gru, x, h0[None]), half),
                "scan": _through(gated_scan, (gates, h0), None),
            }
            seconds = times(steps, device, quick)
            # Forward reads the gates and writes h; backward reads gates, h and h's gradient, and writes the gates' one.
            moved = rows * length * width * (3 * 2 * dtype.itemsize + 3 * 4)
            scan = statistics.median(seconds["scan"])
            yield {
                "layer": f"{rows}x{length}x{width}",
                "precision": name,
                "mingru_ms": round(1000 * statistics.median(seconds["mingru"]), 3),
                "gru_ms": round(1000 * statistics.median(seconds["gru"]), 3),
                "times_nn.GRU": _ratio(seconds["gru"], seconds["mingru"]),
                "scan_ms": round(1000 * scan, 3),
                "scan_bound_ms": round(1000 * moved / bandwidth, 3),
                "share_of_bound": round(moved / bandwidth / scan, 3),
            }


def copy_rate(device: torch.device, quick: bool) -> float:
    """Return the bytes per second, read and written, of a large copy."""
    source = torch.ones(1000 if quick else 1 << 28, device=device)
    target = torch.empty_like(source)
    seconds = times({"copy": lambda: target.copy_(source)}, device, quick)["copy"]
    return 2 * 4 * source.numel() / statistics.median(seconds)


def _through(function: Callable[..., Tensor], inputs: tuple[Any, ...], autocast: torch.dtype | None) -> Step:
    """Return a function that runs forward and backward, with a given output gradient and without accumulation."""
    device = inputs[-1].device.type
    leaves = [leaf for part in inputs for leaf in (part.parameters() if isinstance(part, nn.Module) else (part,))]
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    with torch.no_grad():
        gradient = torch.randn_like(function(*inputs))

    def step() -> None:
        with torch.autocast(device, autocast, enabled=autocast is not None):
            y = function(*inputs)
        torch.autograd.grad(y, leaves, gradient.to(y.dtype))

    return step


def _outputs(cell: Callable[..., tuple[Tensor, Tensor]], *inputs: Tensor) -> Tensor:
    return cell(*inputs)[0]


def _ratio(slow: list[float], fast: list[float]) -> float:
    return round(statistics.median(s / f for s, f in zip(slow, fast, strict=True)), 2)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class FastSampler(TemperatureSampler):
    """A sampler with one random generator for all texts: 4,096 generators in Python would dominate the time."""

    def __init__(self, count: int) -> None:
        self.temperature, self.count, self.random = 1.0, count, np.random.default_rng(0)

    def __call__(self, logits: Logits) -> Tokens:
        """Draw on the host."""
        sums = np.exp(logits - logits.max(-1, keepdims=True)).cumsum(-1)
        tokens: Tokens = (sums < self.uniforms()[:, None] * sums[:, -1:]).sum(-1)
        return tokens

    def uniform(self, row: int) -> float:
        """See `TemperatureSampler`."""
        return float(self.random.random())

    def uniforms(self) -> NDArray[np.float64]:
        """See `TemperatureSampler`."""
        return self.random.random(self.count)

    def peek(self, count: int) -> NDArray[np.float64]:
        """See `TemperatureSampler`."""
        return self.random.random((self.count, count))


def sampling(device: torch.device, quick: bool) -> Iterator[Row]:
    """Measure sampling of batches of texts, with matrix products in float32 and in TF32."""
    for count in (1, 4) if quick else (1, 64, 4096):
        for products in ("highest", "high"):
            torch.set_float32_matmul_precision(products)
            torch.manual_seed(0)
            config = ModelConfig(num_layers=1 if quick else 3, hidden_size=8 if quick else 512)
            model = RecurrentModel(config, VOCAB_SIZE).to(device).eval()
            stepper = CudaGraphStepper(model, model.empty_state(count), None)
            draw, tokens, length = (
                FastSampler(count),
                np.zeros(count, np.int64),
                2 * BLOCK_LENGTH if quick else 64 * BLOCK_LENGTH,
            )
            for _ in range(STEPS_BEFORE_CAPTURE + 2 * BLOCK_LENGTH):
                tokens = stepper.draw_next(tokens, draw)
            started = time.perf_counter()
            for _ in range(length):
                tokens = stepper.draw_next(tokens, draw)
            seconds = time.perf_counter() - started
            yield {
                "shape": f"{config.num_layers}x{config.hidden_size}",
                "texts": count,
                "products": "float32" if products == "highest" else "tf32",
                "microseconds_per_step": round(1e6 * seconds / length, 1),
                "chars_per_second": round(count * length / seconds),
            }
    torch.set_float32_matmul_precision("highest")
