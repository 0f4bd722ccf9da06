"""Training time of a scan against step-by-step cells, by the length of the sequence, with honest peers.

"Were RNNs All We Needed?" (arXiv 2410.01201) says that a minGRU trains 175 times as fast as a GRU at length 512. That
depends on whom it is compared with: a GRU that is written out in PyTorch, a dozen operations for each character, or one
whose steps are fused. Both are here.
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
    title,
)
from charrnn.lab.networks import new_network
from charrnn.models.kernels.scan import gated_scan_reference
from charrnn.models.rnn.cells import Cell, make_cell
from charrnn.report.figures import INK, SERIES, legend, new_figure
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import reuse_freed_memory, take_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VOCAB_SIZE = 65
OURS = "mingru, scan"
PAPER_LENGTH, PAPER_RATIO = 512, 175


class WrittenOutGRU(Cell):
    """A GRU as one writes it from the equations, one operation of PyTorch after the other."""

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


class SteppedMinGRU(Cell):
    """A minGRU whose recurrence is a loop in Python, so that nothing but the scan is different."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y = gated_scan_reference(self.core(x), state)
        return y, y[:, -1]


class TorchLayer(Cell):
    """A layer of PyTorch's own."""

    def __init__(self, layer: type[nn.GRU] | type[nn.LSTM], input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.core = layer(input_size, hidden_size, batch_first=True)
        self.is_pair = layer is nn.LSTM

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Of an LSTM both vectors begin as the state, and the first one is given back."""
        h = state[None].contiguous()
        y, after = self.core(x, (h, h) if self.is_pair else h)
        return y, (after[0] if self.is_pair else after)[0]


CELLS: dict[str, tuple[Callable[[int, int], Cell], dict[str, Any]]] = {
    OURS: (partial(make_cell, "mingru"), line_style("mingru")),
    "minlstm, scan": (partial(make_cell, "minlstm"), line_style("minlstm")),
    "mingru, step by step": (SteppedMinGRU, line_style("mingru") | {"linestyle": ":"}),
    "gru, written out": (WrittenOutGRU, line_style("gru") | {"linestyle": ":"}),
    "gru, PyTorch's": (partial(TorchLayer, nn.GRU), line_style("gru") | {"linestyle": "--", "color": SERIES[5]}),
    "gru, charrnn's": (partial(make_cell, "gru"), line_style("gru")),
    "lstm, PyTorch's": (partial(TorchLayer, nn.LSTM), line_style("lstm") | {"linestyle": "--"}),
}
"""Of each cell: (width of the input, width of the layer) → cell, and its line, as matplotlib draws it."""
PARTS = {"layer": "one layer, forward and backward", "step": "a whole training step"}


@dataclass(frozen=True)
class LengthSize:
    """How large the experiment is; fixed, and its times are what the machine makes of it.

    Attributes:
        lengths: of sequences.
        rounds: that medians are over; in each, all cells have their turn.
        batch_size: sequences side by side.
        width: of inputs and layers.
        layers: of the network of a whole step.
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
    """Time all cells, in turns."""
    rows: list[Row] = []
    done, total = 0, len(PARTS) * len(size.lengths) * (size.rounds + 1)
    with reuse_freed_memory():
        for length in size.lengths:
            for part, make in (("layer", _layer), ("step", _step)):
                work = {name: make(name, length, context, size) for name in CELLS}
                seconds: dict[str, list[float]] = {name: [] for name in CELLS}
                for number in range(size.rounds + 1):  # the first is not counted
                    for name, once in work.items():
                        taken = _seconds(once, context.device)
                        if number:
                            seconds[name].append(taken)
                    done += 1
                    context.progress(f"length {length}", done, total)
                rows += [_row(part, length, name, seconds, size) for name in CELLS]
    description = (
        f"{size.batch_size} sequences side by side, width {size.width}, float32 for a layer; a step is of a network of "
        f"{size.layers} layers with embedding, head and optimizer, as charrnn trains. Medians of {size.rounds} rounds, "
        f"in each of which all have their turn; ratios are medians of those within a round. On "
        f"{describe_machine(context.device)}."
    )
    return LabResult(rows, _table(rows, size), description, _draw(rows, size))


def _layer(name: str, length: int, context: LabContext, size: LengthSize) -> Callable[[], object]:
    """One layer forward and backward, the gradients of its inputs included."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        make_layer, _ = CELLS[name]
        cell = make_layer(size.width, size.width).to(context.device).train()
        x = torch.randn(size.batch_size, length, size.width).to(context.device).requires_grad_()
    state = torch.zeros(size.batch_size, cell.state_size, device=context.device)

    def once() -> None:
        y, _ = cell(x, state)
        torch.autograd.grad(y.sum(), [x, *cell.parameters()])

    return once


def _step(name: str, length: int, context: LabContext, size: LengthSize) -> Callable[[], object]:
    """A training step of charrnn, with these cells in its network; on a GPU not recorded, for loops are too long."""
    network = new_network(ModelConfig("mingru", size.layers, size.width), VOCAB_SIZE, context.seed, context.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        cells = [CELLS[name][0](size.width, size.width).to(context.device) for _ in range(size.layers)]
    network.cells = nn.ModuleList(cells)
    network.state_sizes = tuple(int(cell.state_size) for cell in cells)
    config = TrainingConfig()
    optimizer = ModelOptimizer(network.train(), config, dtype_of(config, context.device))
    drawn = torch.Generator().manual_seed(context.seed)
    tokens = torch.randint(0, VOCAB_SIZE, (size.batch_size, length + 1), generator=drawn).to(context.device)
    return lambda: take_step(optimizer, (tokens[:, :-1], tokens[:, 1:]), None, 1e-3)


def _seconds(once: Callable[[], object], device: torch.device) -> float:
    """How long something takes."""
    wait: Callable[[], object] = partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    once()
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


def _table(rows: Sequence[Row], size: LengthSize) -> list[list[str]]:
    """How many times as long as the scan each takes."""
    table = [["cell", *(f"{length:,}" for length in size.lengths)]]
    for part, what in PARTS.items():
        times = column(rows, "seconds", part=part, cell=OURS)
        table.append([f"{what}: {OURS}", *(f"{1000 * seconds:.3g} ms" for seconds in times)])
        for name in CELLS:
            if name != OURS:
                ratios = column(rows, "times_the_scan", part=part, cell=name)
                table.append([f"{name}: times that", *(f"{ratio:.3g}" for ratio in ratios)])
    return table


def _draw(rows: Sequence[Row], size: LengthSize) -> Figure:
    figure, axes = new_figure(8.2, 4.6, columns=2)
    for ax, part, shown in ((axes[0], "layer", "times_the_scan"), (axes[1], "step", "chars_per_second")):
        for name, (_, style) in CELLS.items():
            ax.plot(size.lengths, column(rows, shown, part=part, cell=name), label=name, **style)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        plain_numbers(ax, size.lengths)
        ax.set_xlabel("characters of a sequence")
    axes[0].plot([PAPER_LENGTH], [PAPER_RATIO], "*", color=INK, markersize=10, label="gru, the paper's (GPU)")
    title(axes[0], f"time of a layer, as multiples of {OURS}")
    title(axes[1], "whole training steps: characters a second")
    legend(axes[0], "upper left")
    axes[0].set_ylim(top=10 * PAPER_RATIO)
    return figure
