"""Trials for `hardware/gpu_features.py`: compare CUDA graphs and Triton kernels with plain PyTorch code.

    python -m charrnn.training.gpu_trial graphs|triton cuda:0

The exit status is 0 if the numbers agree. A trial runs in its own process, because a failure may leave CUDA unusable.
"""

from __future__ import annotations

import copy
import itertools
import math
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.models.kernels.scan import gated_scan, gated_scan_reference, scan, scan_reference
from charrnn.models.rnn.cuda_graph import BLOCK_LENGTH, STEPS_BEFORE_CAPTURE, CudaGraphStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import PlainStepper
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import CudaGraphStep, take_step

VOCAB_SIZE = 65
STEPS = 8
LEARNING_RATE, DROPOUT, TEMPERATURE = 1e-2, 0.2, 0.8
SHAPES = ((64, 8, 16), (128, 128, 64))
"""(hidden size, batch size, sequence length); the second has the largest batch that `auto_config` chooses on a GPU."""
TOLERANCE = {torch.float32: 0.02, torch.float16: 0.2}
"""Maximum distance of the weights, relative to how far training has moved them. Rounding errors grow with each step,
most of all with Muon; a step that uses an old batch or learning rate differs by more than 1."""
SCANS = ((2, 130, 33), (1, 1, 64), (8, 64, 256))
"""Shapes of the scans: (rows, length, width)."""
TRIED = 2 * BLOCK_LENGTH
"""Number of captured sampling steps."""
SAME = 0.98
"""Minimum fraction of equal draws: a random number may fall on the border between two characters."""


def main(arguments: list[str]) -> None:
    """Try a feature on a device; a failure ends with a traceback and exit status 1."""
    feature, device = arguments[0], torch.device(arguments[1])
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    {"graphs": try_graphs, "triton": try_triton}[feature](device)


def try_graphs(device: torch.device) -> None:
    """Compare captured steps of training and sampling with plain ones.

    Raises:
        AssertionError: the numbers differ.
        CaptureError: a step cannot be captured.
    """
    for cell, optimizer in itertools.product(CELLS, OPTIMIZERS):
        for precision in ("float32", "auto"):
            is_default = (optimizer, precision) == (TrainingConfig().optimizer, TrainingConfig().precision)
            for shape in SHAPES if is_default else SHAPES[:1]:
                try_training(cell, optimizer, precision, shape, device)
    for cell in CELLS:
        try_sampling(cell, device)


def try_training(cell: str, optimizer: str, precision: str, shape: tuple[int, int, int], device: torch.device) -> None:
    """Compare captured with plain training steps: same initial weights, dropout, changing learning rate."""
    width, rows, length = shape
    config = TrainingConfig(optimizer=optimizer, precision=precision)
    dtype = dtype_of(config, device)
    torch.manual_seed(0)
    first = RecurrentModel(ModelConfig(cell=cell, hidden_size=width, dropout=DROPOUT), VOCAB_SIZE).to(device).train()
    models = [copy.deepcopy(first).to(device) for _ in range(2)]
    optimizers = [ModelOptimizer(model, config, dtype) for model in models]
    captured = CudaGraphStep(optimizers[0])
    results = []
    for i in range(2):
        torch.manual_seed(1)
        state, losses = None, []
        for number, batch in enumerate(_batches(rows, length)):
            lr = LEARNING_RATE * (number + 1) / STEPS
            if i == 0:
                loss, state = captured(batch, state, lr)
            else:
                loss, state = take_step(optimizers[1], batch, state, lr)
            losses.append(float(loss))
        results.append(losses)
    where = f"{cell} {width}, {rows} x {length}, {optimizer}, {dtype}"
    if captured.graph is None:
        raise AssertionError(f"{where}: no step was captured")
    moved = _distance(models[1], first)
    share = _distance(models[0], models[1]) / moved
    if not (moved > 0 and share <= TOLERANCE.get(dtype, TOLERANCE[torch.float16])):
        raise AssertionError(f"{where}: captured steps differ by {share:.2g} of the distance; losses {results}")


def try_sampling(cell: str, device: torch.device) -> None:
    """Compare captured blocks of sampling steps with single steps; both read the characters of the single steps."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=64), VOCAB_SIZE).to(device).eval()
    texts = 3
    blocks, single = CudaGraphStepper(model, model.empty_state(texts), None), PlainStepper(model, None)
    draws = [CounterTemperatureSampler(TEMPERATURE, CounterRNG(range(texts))) for _ in range(2)]
    tokens, same = np.zeros(texts, np.int64), 0
    for _ in range(STEPS_BEFORE_CAPTURE + TRIED):
        in_blocks, one_by_one = blocks.draw_next(tokens, draws[0]), single.draw_next(tokens, draws[1])
        same += int((in_blocks == one_by_one).sum())
        tokens = one_by_one
    drawn = texts * (STEPS_BEFORE_CAPTURE + TRIED)
    if same < SAME * drawn:
        raise AssertionError(f"sampling, {cell}: only {same} of {drawn} characters are equal in blocks and one by one")


def try_triton(device: torch.device) -> None:
    """Compare the Triton scans and their gradients with the reference.

    Raises:
        AssertionError: they differ.
    """
    for shape, dtype in itertools.product(SCANS, (torch.float32, torch.float16, torch.bfloat16)):
        rows, length, width = shape
        torch.manual_seed(0)
        keep, add, h0 = torch.rand(shape), torch.randn(shape), torch.randn(rows, width)
        gates, weights = torch.randn(rows, length, 2 * width), torch.randn(shape)
        inputs = [part.to(device).requires_grad_() for part in (keep, add, h0, gates.to(dtype))]
        results = []
        for functions in ((scan, gated_scan), (scan_reference, gated_scan_reference)):
            h = functions[0](*inputs[:3]), functions[1](inputs[3], inputs[2])
            results.append([*h, *torch.autograd.grad((sum(h) * weights.to(device)).sum(), inputs)])
        for result, expected in zip(*results, strict=True):
            tolerance = 1e-2 if result.dtype.itemsize == 2 else 1e-3
            if not torch.allclose(result, expected, rtol=tolerance, atol=tolerance):
                largest = float((result - expected).abs().max())
                raise AssertionError(f"scan of {shape}, {dtype}: differs by up to {largest:.2g}")


def _batches(rows: int, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of a text that can be learned: each row repeats characters in a fixed order."""
    for number in range(STEPS):
        places = torch.arange(rows)[:, None] * 7 + number * length + torch.arange(length + 1)
        text = (places * 3 + places % 5) % VOCAB_SIZE
        yield text[:, :-1], text[:, 1:]


def _distance(first: RecurrentModel, second: RecurrentModel) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return math.sqrt(sum(float((a - b).detach().double().square().sum()) for a, b in pairs))


if __name__ == "__main__":
    main(sys.argv[1:])
