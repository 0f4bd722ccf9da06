"""The recurrent language model: embedding → recurrent layers → linear output layer.

The state is a tuple with one (B, S) tensor per layer, followed by the last characters if n-grams have embeddings.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.config import ModelConfig
from charrnn.models.kernels.native_network import NativeNetwork
from charrnn.models.language_model import State
from charrnn.models.rnn.cells import Cell, make_cell
from charrnn.models.rnn.cuda_graph import CudaGraphStepper
from charrnn.models.rnn.native import NativeStepper, native_network, read
from charrnn.models.rnn.ngram_embedding import NgramEmbedder, NgramEmbedding
from charrnn.models.stepper import PlainStepper, Stepper

Model = TypeVar("Model", bound=nn.Module)

HEAD_MULTIPLE = 16
"""The number of outputs of the head is padded to a multiple of this; see `RecurrentModel._logits`."""


class LayerRead(NamedTuple):
    """The inputs and states of one layer over a text.

    Attributes:
        cell: the layer.
        inputs: (B, T, D), the inputs of the layer.
        before: (B, T, S), the state before each step.
        after: (B, T, S), the state after each step.
    """

    cell: Cell
    inputs: Tensor
    before: Tensor
    after: Tensor


class RecurrentModel(nn.Module):
    """A language model of stacked recurrent layers.

    Args:
        config: cell, sizes, number of layers, dropout. Dropout applies to each layer's outputs, in training mode only.
        vocab_size: V.

    Attributes:
        ngrams: the embeddings of n-grams; None without `--ngram-embedding`.
        rows: the rows of a batch that this process reads, and the number of rows in the whole batch; None for all.
    """

    rows: tuple[slice, int] | None = None

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        width = config.embedding_size or config.hidden_size
        self.embedding = nn.Embedding(vocab_size, width)
        order, rows = config.ngram_embedding, config.ngram_rows
        self.ngrams = NgramEmbedding(order, rows, vocab_size, width, config.ngram_dropout) if order else None
        cells: list[Cell] = []
        for name in config.layer_cells:
            cells.append(make_cell(name, width, config.hidden_size, config.window))
            width = config.hidden_size
        self.state_sizes = tuple(cell.state_size for cell in cells)
        if self.ngrams:
            self.state_sizes += (self.ngrams.state_size,)
        self.cells = nn.ModuleList(cells)
        self.head = nn.Linear(width, vocab_size)

    @property
    def device(self) -> torch.device:
        """The device of the weights and of the logits."""
        return self.head.weight.device

    @property
    def parameter_count(self) -> int:
        """The number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def empty_state(self, batch_size: int) -> State:
        """Return the state before the first character, all zeros: (B, S) per layer, then (B, N − 1) characters."""
        weight = self.head.weight
        return tuple(weight.new_zeros(batch_size, size) for size in self.state_sizes)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if state is None:
            state = self.empty_state(tokens.shape[0])
        is_one_text = len(tokens) == 1 and tokens.numel() and not torch.is_grad_enabled()
        native = self.native() if is_one_text else None
        layers = self.layer_states(state)
        if native is not None and self.ngrams is None:
            return read(native, tokens, layers)
        x, characters = self.embed(tokens, state)
        logits, after = self.read_inputs(x, layers) if native is None else read(native, tokens, layers, x)
        return logits, (*after, *characters)

    def native(self) -> NativeNetwork | None:
        """Return the network in C with its current weights; None if not available (see `native_network`)."""
        if self.training and self.config.dropout:
            return None
        return native_network(self.embedding, self._cells, self.head, self.config.residual, self.ngrams is None)

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        """Return the fastest stepper: with CUDA graphs, in C, or by the logits."""
        if self.device.type == "cuda":
            return CudaGraphStepper(self, self.empty_state(batch_size), state)
        native = self.native()
        if native is None:
            return PlainStepper(self, state)
        embedder = NgramEmbedder(self.embedding, self.ngrams, state, batch_size) if self.ngrams else None
        return NativeStepper(native, None if state is None else self.layer_states(state), batch_size, embedder)

    def layer_states(self, state: State) -> State:
        """Return the part of a state that belongs to the layers."""
        return state if self.ngrams is None else state[:-1]

    def embed(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the inputs of the first layer, (B, T, D), and the part of the state that follows those of the layers.

        Args:
            tokens: (B, T) characters.
            state: the state before them.
        """
        tokens = tokens.to(self.device)
        x: Tensor = self.embedding(tokens)
        if self.ngrams is None:
            return x, ()
        sums, characters = self.ngrams(tokens, state[-1], self.rows)
        return x + sums, (characters,)

    def read_inputs(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Compute logits from (B, T, D) inputs of the first layer (see `embed`), for gradients with respect to them.

        The states, before and after, are those of the layers alone.
        """
        after = []
        for cell, before in zip(self.cells, state, strict=True):
            y, new = cell(x, before)
            y = self._drop(y)
            x = x + y if self.config.residual and y.shape == x.shape else y
            after.append(new)
        with torch.autocast(x.device.type, enabled=False):  # half precision would lose too many digits of a logit
            return self._logits(x.to(self.head.weight.dtype)), tuple(after)

    def _logits(self, x: Tensor) -> Tensor:
        """Apply the head, padded to a multiple of 16 outputs, so that MKL's result does not depend on the thread count.

        With 65 outputs, for example, four threads add in another order than three, and training would not reproduce.
        """
        missing = -self.vocab_size % HEAD_MULTIPLE
        if x.device.type != "cpu" or not missing:
            return self.head(x)  # type: ignore[no-any-return]
        weight = functional.pad(self.head.weight, (0, 0, 0, missing))
        return functional.linear(x, weight, functional.pad(self.head.bias, (0, missing)))[..., : self.vocab_size]

    @property
    def unit_groups(self) -> tuple[str, ...]:
        """The names of the parts of the state, H units each: by layer, then by the cell's `state_names`."""
        return tuple(f"layer {i} {name}" for i, cell in enumerate(self._cells, 1) for name in cell.state_names)

    @property
    def _cells(self) -> list[Cell]:
        return [cell for cell in self.cells if isinstance(cell, Cell)]

    def layers(self, tokens: Tensor, state: State | None = None) -> Iterator[LayerRead]:
        """Yield the inputs and all states of each layer; `forward` returns only the last states."""
        if state is None:
            state = self.empty_state(len(tokens))
        x, _ = self.embed(tokens, state)
        for cell, first in zip(self._cells, self.layer_states(state), strict=True):
            after = cell.states(x, first)
            if not cell.has_unit_state:
                first = torch.zeros_like(after[:, 0])
            yield LayerRead(cell, x, torch.cat((first[:, None], after[:, :-1]), dim=1), after)
            y = self._drop(after[..., : cell.hidden_size])
            x = x + y if self.config.residual and y.shape == x.shape else y

    def _drop(self, y: Tensor) -> Tensor:
        """Apply variational dropout (Gal and Ghahramani 2016): one mask for all steps of a row, (B, T, H) → (B, T, H).

        Masks are drawn for the rows of other processes too, so they do not depend on the number of processes.
        """
        if not (self.training and self.config.dropout):
            return y
        keep = 1 - self.config.dropout
        rows, total = self.rows or (slice(None), len(y))
        return y * y.new_empty(total, 1, y.shape[2]).bernoulli_(keep)[rows].div_(keep)


def trainable_copy(model: Model, device: torch.device) -> Model:
    """Return a copy of a network, or of a model that contains networks, for computing gradients on a device.

    The copy is in training mode, because cuDNN computes gradients only then, but without dropout. Embeddings of n-grams
    have no gradients: there are too many for an update every few characters.
    """
    copied = copy.deepcopy(model).to(device).requires_grad_().train()
    for part in copied.modules():
        if isinstance(part, RecurrentModel):
            part.config = replace(part.config, dropout=0.0, ngram_dropout=0.0)
        if isinstance(part, NgramEmbedding):
            part.requires_grad_(False)
            part.dropout = 0.0
    return copied
