"""A recurrent network in C for inference, with its weights packed once in the order in which they are used.

`NativeNetwork` is built from tensors, not modules. Its reference implementation is the package `rnn/cells`.
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
"""Arrays of float32."""

MAX_TABLE_ROWS = 1024
"""The largest vocabulary for which the first layer's products are tabulated. Building the table costs as much as that
many look-ups save, so it should pay for itself within a page of text."""
ALIGNMENT = 64
"""The alignment of packed matrices, in bytes."""
OUT_OF_MEMORY = -2
"""The status that the C code returns if it cannot allocate memory."""


class NativeCell(IntEnum):
    """The cells implemented in C, numbered as in `native/network.h`."""

    RNN = 0
    LSTM = 1
    GRU = 2
    MIN_LSTM = 3
    MIN_GRU = 4


class LayerWeights(NamedTuple):
    """The weights of one layer: G gates of H units, in PyTorch's order.

    Attributes:
        input: (G H, D).
        recurrent: (G H, H); None for a cell whose gates do not depend on the state.
        bias: (G H), everything that is added to the input's product.
        inner: (H), the bias inside a GRU's reset gate, added to U_n h; None for other cells.
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
    """Return an array of pointers to the arrays' data."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


class NativeNetwork:
    """A copy of a network's weights in the layout of the C code.

    Args:
        library: the compiled C code.
        cell: the cell of all layers.
        state_size: S, the size of one layer's state.
        embedding: (V, D).
        layers: the layers, first to last.
        head: weights (V, H) and bias (V,).
        residual: whether each layer's input is added to its output when their sizes agree.
        is_plain: whether the first layer's inputs are the embeddings alone; otherwise they are arguments of each call.

    Attributes:
        depth: the number of layers.
        gates: G.
        width: the largest size of a layer's input or output.
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
        is_plain: bool = True,
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
        if is_plain and self.vocab_size <= MAX_TABLE_ROWS:
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
        """Copy a tensor, because the model's weights may change; return the address of the copy."""
        self._kept.append(tensor.detach().clone(memory_format=torch.contiguous_format))
        return self._kept[-1].data_ptr()

    def _pack(self, matrices: Sequence[tuple[_Matrix, Tensor]]) -> NDArray[np.uint8]:
        """Pack all matrices into one block, for which numpy requests large pages from the system."""
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
        """The address of the network, for the C functions."""
        return ctypes.c_void_p(ctypes.addressof(self._network))

    def read(self, tokens: NDArray[np.int64], states: Sequence[Floats], inputs: Floats | None = None) -> Floats:
        """Read one text: (T,) tokens and each layer's state (S,), updated in place → (T, V) logits.

        `inputs` are those of the first layer, (T, D), unless they are the embeddings alone.

        Raises:
            IndexError: a token is not in the vocabulary.
        """
        logits = np.empty((len(tokens), self.vocab_size), np.float32)
        tokens = np.ascontiguousarray(tokens)
        inputs = None if inputs is None else np.ascontiguousarray(inputs)
        read = self.library.network_read
        read.restype = ctypes.c_long
        bad = read(
            self.address, tokens.ctypes.data_as(ctypes.c_void_p),
            None if inputs is None else inputs.ctypes.data_as(ctypes.c_void_p), pointers(states),
            logits.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(len(tokens)),
            thread_count(self.depth + 1, len(tokens) * self.work),
        )  # fmt: skip
        if bad == OUT_OF_MEMORY:
            raise MemoryError("the activations between the layers of a network")
        self.check(bad, tokens)
        return logits

    def check(self, bad: int, tokens: NDArray[np.int64]) -> None:
        """Raise IndexError if the C code stopped at a token; `bad` is the token's index, or −1."""
        if bad >= 0:
            raise IndexError(f"token {tokens[bad]}: expected 0 to {self.vocab_size - 1}")
