"""Training time of a scan against step-by-step cells, by sequence length, with fair competitors.

"Were RNNs All We Needed?" (arXiv 2410.01201) reports that a minGRU trains 175 times as fast as a GRU at length 512.
That depends on the GRU: one written in plain PyTorch, with a dozen operations per character, or one with fused steps.
This experiment has both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.lab.experiment import (
    LabContext,
    LabResult,
    Row,
    column,
    describe_machine,
    line_style,
    plain_numbers,
    set_title,
)
from charrnn.lab.networks import new_network
from charrnn.models.kernels.scan import gated_scan_reference
from charrnn.models.rnn.cells import Cell, make_cell
from charrnn.report.figures import INK, SERIES, add_legend, new_figure
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import reuse_freed_memory, take_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VOCAB_SIZE = 65
OURS = "mingru, scan"
PAPER_LENGTH, PAPER_RATIO = 512, 175


class PlainGRU(Cell):
    """A GRU written from its equations in plain PyTorch, with a Python loop over the characters."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.reset_and_update = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        h, steps = state, []
        for x_t in x.unbind(1):
            r, z = torch.sigmoid(self.reset_and_update(torch.cat((x_t, h), 1))).chunk(2, 1)
            n = torch.tanh(self.candidate(torch.cat((x_t, r * h), 1)))
            h = (1 - z) * n + z * h
            steps.append(h)
        return torch.stack(steps, 1), h


class LoopMinGRU(Cell):
    """A minGRU whose recurrence is a Python loop: it differs from charrnn's minGRU only in the scan."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y = gated_scan_reference(self.core(x), state)
        return y, y[:, -1]


class TorchLayer(Cell):
    """A layer from PyTorch: `nn.GRU` or `nn.LSTM`."""

    def __init__(self, layer: type[nn.GRU] | type[nn.LSTM], input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = layer(input_size, hidden_size, batch_first=True)
        self.is_pair = layer is nn.LSTM

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the layer; both state vectors of an LSTM start as `state`, and only the first is returned."""
        h = state[None].contiguous()
        y, after = self.core(x, (h, h) if self.is_pair else h)
        return y, (after[0] if self.is_pair else after)[0]


CELLS: dict[str, tuple[Callable[[int, int], Cell], dict[str, Any]]] = {
    OURS: (partial(make_cell, "mingru"), line_style("mingru")),
    "minlstm, scan": (partial(make_cell, "minlstm"), line_style("minlstm")),
    "mingru, Python loop": (LoopMinGRU, line_style("mingru") | {"linestyle": ":"}),
    "gru, plain PyTorch": (PlainGRU, line_style("gru") | {"linestyle": ":"}),
    "gru, nn.GRU": (partial(TorchLayer, nn.GRU), line_style("gru") | {"linestyle": "--", "color": SERIES[5]}),
    "gru, charrnn": (partial(make_cell, "gru"), line_style("gru")),
    "lstm, nn.LSTM": (partial(TorchLayer, nn.LSTM), line_style("lstm") | {"linestyle": "--"}),
}
"""The cells: for each, a function (input size, hidden size) → cell, and matplotlib's settings for the line."""
PARTS = {"layer": "one layer, forward and backward", "step": "a whole training step"}


@dataclass(frozen=True)
class LengthSize:
    """Settings of the experiment; the times depend on the machine.

    Attributes:
        lengths: sequence lengths.
        rounds: number of rounds, in each of which every cell is timed once; the results are medians over rounds.
        batch_size: number of sequences.
        width: input size and hidden size.
        layers: number of layers of the network in a whole training step.
    """

    lengths: tuple[int, ...]
    rounds: int
    batch_size: int = 16
    width: int = 128
    layers: int = 2


SIZES = {
    "tiny": LengthSize((3, 4), rounds=1, batch_size=2, width=4, layers=1),
    "quick": LengthSize((64, 128, 256, 512, 1024), rounds=5),
    "full": LengthSize((64, 128, 256, 512, 1024, 2048, 4096), rounds=9),
}


def run(context: LabContext, size: LengthSize) -> LabResult:
    """Time all cells in turn."""
    rows: list[Row] = []
    done, total = 0, len(PARTS) * len(size.lengths) * (size.rounds + 1)
    with reuse_freed_memory():
        for length in size.lengths:
            for part, make in (("layer", _layer), ("step", _step)):
                work = {name: make(name, length, context, size) for name in CELLS}
                seconds: dict[str, list[float]] = {name: [] for name in CELLS}
                for number in range(size.rounds + 1):  # the first round is a warm-up
                    for name, run_once in work.items():
                        elapsed = _seconds(run_once, context.device)
                        if number:
                            seconds[name].append(elapsed)
                    done += 1
                    context.progress(f"length {length}", done, total)
                rows += [_row(part, length, name, seconds, size) for name in CELLS]
    caption = (
        f"Batch size {size.batch_size}, hidden size {size.width}. One layer: forward and backward pass in float32. "
        f"Whole training step: a network of {size.layers} layers with embedding, output layer and optimizer, in "
        f"charrnn's training precision. Medians of {size.rounds} rounds, in each of which every cell is timed once; "
        f"ratios are medians of the ratios within a round. Measured on {describe_machine(context.device)}."
    )
    return LabResult(rows, table(rows, size), caption, draw(rows, size))


def _layer(name: str, length: int, context: LabContext, size: LengthSize) -> Callable[[], object]:
    """Return a function that runs one layer forward and backward, including the gradients of the inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        make_layer, _ = CELLS[name]
        cell = make_layer(size.width, size.width).to(context.device).train()
        x = torch.randn(size.batch_size, length, size.width).to(context.device).requires_grad_()
    state = torch.zeros(size.batch_size, cell.state_size, device=context.device)

    def run_once() -> None:
        y, _ = cell(x, state)
        torch.autograd.grad(y.sum(), [x, *cell.parameters()])

    return run_once


def _step(name: str, length: int, context: LabContext, size: LengthSize) -> Callable[[], object]:
    """Return a function that takes one training step of a network with these cells.

    On a GPU the step is not captured in a CUDA graph, because the loops are too long.
    """
    network = new_network(ModelConfig("mingru", size.layers, size.width), VOCAB_SIZE, context.seed, context.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        cells = [CELLS[name][0](size.width, size.width).to(context.device) for _ in range(size.layers)]
    network.cells = nn.ModuleList(cells)
    network.state_sizes = tuple(int(cell.state_size) for cell in cells)
    config = TrainingConfig()
    optimizer = ModelOptimizer(network.train(), config, dtype_of(config, context.device))
    generator = torch.Generator().manual_seed(context.seed)
    tokens = torch.randint(0, VOCAB_SIZE, (size.batch_size, length + 1), generator=generator).to(context.device)
    return lambda: take_step(optimizer, (tokens[:, :-1], tokens[:, 1:]), None, 1e-3)


def _seconds(run_once: Callable[[], object], device: torch.device) -> float:
    """Time one call."""
    wait: Callable[[], object] = partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    run_once()
    wait()
    return time.perf_counter() - started


def _row(part: str, length: int, name: str, seconds: dict[str, list[float]], size: LengthSize) -> Row:
    median = statistics.median(seconds[name])
    ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds[OURS], strict=True)]
    return {
        "part": part,
        "length": length,
        "cell": name,
        "seconds": median,
        "chars_per_second": size.batch_size * length / median,
        "times_the_scan": statistics.median(ratios),
    }


def table(rows: Sequence[Row], size: LengthSize) -> list[list[str]]:
    """Return the table: the time of the scan, and the times of the others as multiples of that."""
    lines = [["sequence length", *(f"{length:,}" for length in size.lengths)]]
    for part, label in PARTS.items():
        times = column(rows, "seconds", part=part, cell=OURS)
        lines.append([f"{label}: {OURS}", *(f"{1000 * seconds:.3g} ms" for seconds in times)])
        for name in CELLS:
            if name != OURS:
                ratios = column(rows, "times_the_scan", part=part, cell=name)
                lines.append([name, *(f"{ratio:.3g}×" for ratio in ratios)])
    return lines


def draw(rows: Sequence[Row], size: LengthSize) -> Figure:
    """Draw the relative time of a layer, and the speed of whole training steps, by sequence length."""
    figure, axes = new_figure(8.2, 4.6, columns=2)
    for ax, part, shown in ((axes[0], "layer", "times_the_scan"), (axes[1], "step", "chars_per_second")):
        for name, (_, style) in CELLS.items():
            ax.plot(size.lengths, column(rows, shown, part=part, cell=name), label=name, **style)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        plain_numbers(ax, size.lengths)
        ax.set_xlabel("sequence length, characters")
    axes[0].plot([PAPER_LENGTH], [PAPER_RATIO], "*", color=INK, markersize=10, label="gru, in the paper (GPU)")
    set_title(axes[0], f"One layer: time relative to {OURS}")
    set_title(axes[1], "Whole training step: characters per second")
    add_legend(axes[0], "upper left")
    axes[0].set_ylim(top=10 * PAPER_RATIO)
    return figure
