"""The C implementation of a recurrent network, packed from its weights at first use and again after changes.

The packed weights are cached outside the network, so copying a network does not copy them.
"""

from __future__ import annotations

import ctypes
import time
import weakref
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.models.hardware.thread_tuner import make_thread_tuner
from charrnn.models.kernels.build import native_library, thread_count
from charrnn.models.kernels.native_network import NativeNetwork, pointers
from charrnn.models.language_model import State
from charrnn.models.rnn.cells import Cell
from charrnn.models.rnn.ngram_embedding import NgramEmbedder
from charrnn.models.stepper import Logits, Stepper, Tokens

_networks: weakref.WeakKeyDictionary[nn.Linear, tuple[list[Tensor], NativeNetwork]] = weakref.WeakKeyDictionary()
"""For each head, copies of the weights that were packed, and the network in C."""


def native_network(
    embedding: nn.Embedding, cells: Sequence[Cell], head: nn.Linear, residual: bool, is_plain: bool = True
) -> NativeNetwork | None:
    """Return embedding, layers and head in C, without dropout and gradients; None if C cannot compute the same.

    That is the case without a compiler, with cells of several kinds or of a kind that the C code lacks, and with
    weights that are not float32 on the CPU.

    Args:
        embedding: the embedding of the characters.
        cells: the layers, first to last.
        head: the output layer.
        residual: whether each layer's input is added to its output when their sizes agree.
        is_plain: whether the first layer's inputs are the embeddings alone.
    """
    (kind, *others) = {cell.native for cell in cells}
    weight = head.weight
    if kind is None or others or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    library = None if torch.is_autocast_enabled("cpu") else native_library()
    if library is None:
        return None
    weights = [weight for module in (embedding, *cells, head) for weight in module.parameters()]
    known = _networks.get(head)
    if known is None or not all(map(torch.equal, weights, known[0])):
        # PyTorch's version counter misses changes by fused optimizers and in inference mode, so weights are compared.
        with torch.no_grad():
            network = NativeNetwork(
                library,
                kind,
                cells[0].state_size,
                embedding.weight,
                [cell.native_weights() for cell in cells],
                (head.weight, head.bias),
                residual,
                is_plain,
            )
        known = _networks[head] = [weight.detach().clone() for weight in weights], network
    return known[1]


def read(network: NativeNetwork, tokens: Tensor, state: State, x: Tensor | None = None) -> tuple[Tensor, State]:
    """Read one text with a network: (1, T) tokens and a state → (1, T, V) logits and the state after the last token.

    `x` are the inputs of the first layer, (1, T, D), if they are not the embeddings alone.
    """
    states = _arrays(state)
    _check(network, states, 1)
    logits = network.read(tokens[0].cpu().numpy(), states, None if x is None else x[0].numpy())
    return torch.from_numpy(logits)[None], tuple(map(torch.from_numpy, states))


def _check(network: NativeNetwork, states: list[NDArray[np.float32]], batch_size: int) -> None:
    """Raise ValueError unless the states fit the network; the C code would otherwise read out of bounds."""
    expected, shapes = [(batch_size, network.state_size)] * network.depth, [part.shape for part in states]
    if shapes != expected:
        raise ValueError(f"state: expected {expected}, found {shapes}")


def _arrays(state: State) -> list[NDArray[np.float32]]:
    return [np.array(part.detach().cpu().numpy(), np.float32, order="C") for part in state]


class NativeStepper(Stepper):
    """A stepper in C. Results for a text are identical to the last bit, whatever the other rows of the batch are."""

    def __init__(
        self, network: NativeNetwork, state: State | None, batch_size: int, embedder: NgramEmbedder | None = None
    ) -> None:
        if state is None:
            states = [np.zeros((batch_size, network.state_size), np.float32) for _ in range(network.depth)]
        else:
            states = _arrays(state)
            _check(network, states, batch_size)
        self.network, self._states, self._has_read = network, states, state is not None
        self._embedder = embedder
        self._inputs = np.empty((batch_size, embedder.size if embedder else 0), np.float32)
        self._tokens = np.zeros(batch_size, np.int64)
        self._logits = np.empty((batch_size, network.vocab_size), np.float32)
        sizes = (network.width, network.width, network.gates * network.hidden_size)
        self._work = [np.empty((batch_size, size), np.float32) for size in sizes]
        self._step = network.library.network_step
        self._step.restype = ctypes.c_long
        arrays = (array.ctypes.data_as(ctypes.c_void_p) for array in (*self._work, self._logits))
        self._arguments = (
            network.address, self._tokens.ctypes.data_as(ctypes.c_void_p),
            self._inputs.ctypes.data_as(ctypes.c_void_p) if embedder else None, pointers(states), *arrays,
            ctypes.c_long(batch_size),
        )  # fmt: skip
        self._tuner = make_thread_tuner(thread_count(batch_size, batch_size * network.work))

    def read(self, tokens: Tokens) -> Logits:
        self._has_read, self._tokens[:] = True, tokens
        if self._embedder:
            self._inputs[:] = self._embedder.read(tokens)
        started = time.perf_counter()
        self.network.check(self._step(*self._arguments, self._tuner.threads), self._tokens)
        self._tuner.record(time.perf_counter() - started)
        return self._logits

    @property
    def state(self) -> State | None:
        """A copy of the current state; None before the first character."""
        if not self._has_read:
            return None
        layers = tuple(torch.from_numpy(state.copy()) for state in self._states)
        return (*layers, self._embedder.state) if self._embedder else layers
