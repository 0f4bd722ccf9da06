"""The interface of recurrent cells, their registry, and what a cell has to define."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from charrnn import config
from charrnn.errors import UsageError
from charrnn.models.kernels.native_network import LayerWeights, NativeCell

OPEN_GATE = 1.0
"""The initial bias of the gate that keeps the state, so that a new cell remembers (Jozefowicz et al. 2015)."""


CELLS: dict[str, type[Cell]] = {}
"""All cells by their `--cell` name; each class registers itself."""


class Cell(nn.Module):
    """Base class of recurrent cells. A subclass defines names, equations, and its weights for the C code.

    Keywords of a subclass:
        name: the name for `--cell`; without one, the class is not registered.
        label: the name for display, such as "LSTM".
        native: the cell of the C code (`kernels/native/network.h`) with the same equations, which reads the weights
            returned by `native_weights`. Without one, `forward` is used. Subclasses do not inherit it.

    Args:
        input_size: D.
        hidden_size: H.
    """

    label: ClassVar[str]
    native: ClassVar[NativeCell | None]
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """The letters of the vectors of size H that are concatenated in the state; the first one is the output."""
    gate_names: ClassVar[dict[str, str]] = {}
    """The meaning of each gate's letter; empty for a cell without gates."""
    has_unit_state: ClassVar[bool] = True
    """Whether the state consists of the vectors in `state_names`; otherwise `states` returns the outputs instead."""
    takes_window: ClassVar[bool] = False
    """Whether the cell takes a third argument, the number of characters that it sees (`--window`)."""

    def __init_subclass__(cls, *, name: str = "", label: str = "", native: NativeCell | None = None) -> None:
        super().__init_subclass__()
        cls.label, cls.native = label or name, native
        if not name:
            return
        if name in CELLS:
            raise ValueError(f"cell {name}: already registered as {CELLS[name].__qualname__}; choose another name")
        CELLS[name] = cls
        if name not in config.CELLS:
            config.CELLS.append(name)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

    @classmethod
    def weight_count(cls, input_size: int, hidden_size: int) -> int:
        """Return the number of weights applied to each character: the sizes of all matrices."""
        with torch.device("meta"):
            cell = cls(input_size, hidden_size)
        return sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1)

    def native_weights(self) -> LayerWeights:
        """Return the weights in the form the C code reads, for a cell with `native`."""
        raise NotImplementedError

    @property
    def state_size(self) -> int:
        """The size S of the state."""
        return len(self.state_names) * self.hidden_size

    def gates(self, x: Tensor, before: Tensor) -> dict[str, Tensor]:
        """Compute the gates (from 0 to 1) and the values they let in, by their letters in the equations.

        Args:
            x: (B, T, D), the inputs of the cell.
            before: (B, T, S), the state before each step.

        Returns:
            (B, T, H) for each letter; empty for a cell without gates.
        """
        return {}

    def states(self, x: Tensor, state: Tensor) -> Tensor:
        """Compute the state after each step: (B, T, D) and (B, S) → (B, T, S); `forward` returns only the last.

        A cell without `has_unit_state` returns its outputs instead, (B, T, H).
        """
        if len(self.state_names) == 1:
            y: Tensor = self(x, state)[0]
            return y
        steps = []
        for x_t in torch.split(x, 1, dim=1):
            _, state = self(x_t, state)
            steps.append(state)
        return torch.stack(steps, 1)


def make_cell(name: str, input_size: int, hidden_size: int, window: int = 256) -> Cell:
    """Return a new cell with random weights; `window` is for cells with `takes_window`.

    Raises:
        UsageError: there is no cell with this name.
    """
    if name not in CELLS:
        raise UsageError(f"--cell {name}: must be one of {', '.join(config.CELLS)}")
    cell = CELLS[name]
    return cell(input_size, hidden_size, *[window] * cell.takes_window)
