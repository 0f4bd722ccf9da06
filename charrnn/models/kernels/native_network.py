"""A recurrent network that reads without learning, in C: its weights packed once, in the order of their use.

`NativeNetwork` is made of tensors and knows no module. What it computes is what the cells of `cells.py` define; there
is no slow version of it here, for the modules themselves are that.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from charrnn.models.kernels.build import address, thread_count

Floats = NDArray[np.float32]

MAX_TABLE_ROWS = 1024
"""Characters up to which the first layer's product is looked up: a table costs as much as that many look-ups save, and
a page of text should gain by it."""
ALIGNMENT = 64
OUT_OF_MEMORY = -2


class NativeCell(IntEnum):
    """The cells that the C code knows, numbered as in `native/network.h`."""

    RNN = 0
    LSTM = 1
    GRU = 2
    MIN_LSTM = 3
    MIN_GRU = 4


class LayerWeights(NamedTuple):
    """The weights of one layer, G gates of H units in PyTorch's order.

    Attributes:
        input: (G H, D).
        recurrent: (G H, H), or None for a cell whose gates do not look at the state.
        bias: (G H), all that is added to the input's product.
        inner: (H), what a GRU adds to U_n h; None for others.
    """

    input: Tensor
    recurrent: Tensor | None
    bias: Tensor
    inner: Tensor | None = None


class _Matrix(ctypes.Structure):
    _fields_ = (
        ("panels", ctypes.c_void_p),
        ("K", ctypes.c_long),
        ("N", ctypes.c_long),
        ("gates", ctypes.c_int),
        ("nr", ctypes.c_int),
        ("half", ctypes.c_int),
    )


class _Layer(ctypes.Structure):
    _fields_ = (
        ("input", _Matrix),
        ("recurrent", _Matrix),
        ("table", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("inner", ctypes.c_void_p),
        ("D", ctypes.c_long),
        ("residual", ctypes.c_int),
    )


class _Network(ctypes.Structure):
    _fields_ = (
        ("cell", ctypes.c_int),
        ("gates", ctypes.c_int),
        ("V", ctypes.c_long),
        ("H", ctypes.c_long),
        ("S", ctypes.c_long),
        ("layers", ctypes.c_long),
        ("width", ctypes.c_long),
        ("embedding", ctypes.c_void_p),
        ("layer", ctypes.c_void_p),
        ("head", _Matrix),
        ("head_bias", ctypes.c_void_p),
    )


def pointers(arrays: Sequence[Floats]) -> ctypes.Array[ctypes.c_void_p]:
    """Where each array's numbers begin."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


class NativeNetwork:
    """A copy of a network's weights, as the C code reads them.

    Args:
        library: the compiled C code.
        cell: the cell of all layers.
        state_size: S.
        embedding: (V, D).
        layers: from the first to the last.
        head: weights (V, H) and bias (V,).
        residual: whether layers add their input to their output where the widths agree.

    Attributes:
        depth: the number of layers.
        gates: G.
        width: of the widest layer's input or output.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        cell: NativeCell,
        state_size: int,
        embedding: Tensor,
        layers: Sequence[LayerWeights],
        head: tuple[Tensor, Tensor],
        residual: bool,
    ) -> None:
        self.library = library
        head_weights, head_bias = head
        self.vocab_size, self.hidden_size = head_weights.shape
        self.state_size, self.depth = state_size, len(layers)
        self.gates = len(layers[0].bias) // self.hidden_size
        self.width = max(embedding.shape[1], self.hidden_size)
        self.work = (
            embedding.shape[1]
            + head_weights.numel()
            + sum(layer.input.numel() + (0 if layer.recurrent is None else layer.recurrent.numel()) for layer in layers)
        )
        self._kept: list[Tensor] = []
        table = None
        if self.vocab_size <= MAX_TABLE_ROWS:
            table = functional.linear(embedding, layers[0].input, layers[0].bias)
        packed = (_Layer * len(layers))()
        to_pack: list[tuple[_Matrix, Tensor]] = []
        for number, (to, layer) in enumerate(zip(packed, layers, strict=True)):
            nr = 2 if self.gates == 1 else self.gates
            to.D = layer.input.shape[1]
            to.residual = residual and self.hidden_size == to.D
            for matrix in (to.recurrent, to.input):
                matrix.N, matrix.gates, matrix.nr = self.hidden_size, self.gates, nr
            if layer.recurrent is not None:
                to_pack.append((to.recurrent, layer.recurrent))
            if number == 0 and table is not None:
                to.table = self._keep(table)
            else:
                to_pack.append((to.input, layer.input))
            to.bias = self._keep(layer.bias)
            to.inner = None if layer.inner is None else self._keep(layer.inner)
        self._network = _Network(
            cell, self.gates, self.vocab_size, self.hidden_size, state_size, len(layers), self.width,
            self._keep(embedding), ctypes.addressof(packed), _Matrix(None, 0, self.vocab_size, 1, 2),
            self._keep(head_bias),
        )  # fmt: skip
        to_pack.append((self._network.head, head_weights))
        self._layers, self._panels = packed, self._pack(to_pack)

    def _keep(self, tensor: Tensor) -> int:
        """Where a copy of a tensor lies: the model's own may change."""
        self._kept.append(tensor.detach().clone(memory_format=torch.contiguous_format))
        return self._kept[-1].data_ptr()

    def _pack(self, matrices: Sequence[tuple[_Matrix, Tensor]]) -> NDArray[np.uint8]:
        """All in one block, which numpy asks the system for in large pages."""
        self.library.matrix_bytes.restype = ctypes.c_size_t
        sizes = []
        for matrix, weights in matrices:
            matrix.K = weights.shape[1]
            sizes.append(self.library.matrix_bytes(ctypes.byref(matrix)))
        block = np.empty(sum(sizes) + ALIGNMENT, np.uint8)
        begin = -(-block.ctypes.data // ALIGNMENT) * ALIGNMENT
        for (matrix, weights), offset in zip(matrices, itertools.accumulate(sizes, initial=0), strict=False):
            matrix.panels = begin + offset
            contiguous = weights.detach().contiguous()
            self.library.pack_matrix(ctypes.byref(matrix), address(contiguous))
        return block

    @property
    def address(self) -> ctypes.c_void_p:
        """Where the C functions find it."""
        return ctypes.c_void_p(ctypes.addressof(self._network))

    def read(self, tokens: NDArray[np.int64], states: Sequence[Floats]) -> Floats:
        """One text: (T,) tokens and the state of each layer, (S,), which is changed → (T, V) logits.

        Raises:
            IndexError: there is no such token.
        """
        logits = np.empty((len(tokens), self.vocab_size), np.float32)
        tokens = np.ascontiguousarray(tokens)
        read = self.library.network_read
        read.restype = ctypes.c_long
        bad = read(
            self.address, tokens.ctypes.data_as(ctypes.c_void_p), pointers(states),
            logits.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(len(tokens)),
            thread_count(self.depth + 1, len(tokens) * self.work),
        )  # fmt: skip
        if bad == OUT_OF_MEMORY:
            raise MemoryError("what stands between the layers of a network")
        self.check(bad, tokens)
        return logits

    def check(self, bad: int, tokens: NDArray[np.int64]) -> None:
        """Raise IndexError if the C code stopped at a token, of which `bad` is the index (−1 if it did not)."""
        if bad >= 0:
            raise IndexError(f"token {tokens[bad]} of a vocabulary of {self.vocab_size}")
