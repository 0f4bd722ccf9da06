"""A recurrent network's weights as the C code reads them: packed at first use, and after changes.

What is packed is kept beside the model, not in it: a copy of a model is a copy of its weights alone.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.models.kernels.build import library
from charrnn.models.kernels.native_network import Layer, PackedNetwork, Step
from charrnn.models.rnn.cells import Cell
from charrnn.models.stepper import Logits, Stepper, Tokens

if TYPE_CHECKING:
    from charrnn.models.language_model import State
    from charrnn.models.rnn.model import RecurrentModel

_packed: weakref.WeakKeyDictionary[RecurrentModel, tuple[list[Tensor], PackedNetwork]] = weakref.WeakKeyDictionary()
"""What was packed, and copies of the weights that it was packed from."""


def packed(model: RecurrentModel) -> PackedNetwork | None:
    """The network in C, if there is a compiler, and if C does what the model does now.

    That is: single precision, on a CPU, no gradients, no dropout.

    Args:
        model: the network.
    """
    weight = model.head.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return None
    compiled = None if model.training and model.config.dropout else library()
    if compiled is None:
        return None
    known = _packed.get(model)
    if known is None or not _are_equal(model, known[0]):
        layers, width = [], model.embedding.embedding_dim
        for cell in model.cells:
            assert isinstance(cell, Cell)
            layers.append(_layer(cell.core, model.config.residual and width == cell.hidden_size))
            width = cell.hidden_size
        head, size = model.head, model.state_sizes[0]
        with torch.no_grad():
            embedding = model.embedding.weight
            network = PackedNetwork(compiled, model.config.cell, size, embedding, layers, head.weight, head.bias)
        known = _packed[model] = [weight.detach().clone() for weight in model.parameters()], network
    return known[1]


def _are_equal(model: RecurrentModel, copies: list[Tensor]) -> bool:
    """Whether the weights are what they were, each of them.

    PyTorch counts changes of a tensor, but not those by its fused optimizers, nor those in inference mode.
    """
    return all(map(torch.equal, model.parameters(), copies))


def _layer(core: Tensor | nn.Module, residual: bool) -> Layer:
    if isinstance(core, nn.Linear):
        return Layer(core.weight, None, core.bias, None, residual)
    assert isinstance(core, nn.RNNBase)
    w, u, b, c = core.all_weights[0]
    if not isinstance(core, nn.GRU):
        return Layer(w, u, b + c, None, residual)
    gates = 2 * core.hidden_size  # r and z
    return Layer(w, u, torch.cat((b[:gates] + c[:gates], b[gates:])), c[gates:], residual)


def read(network: PackedNetwork, tokens: Tensor, state: State) -> tuple[Tensor, State]:
    """One text through a network.

    Args:
        network: the weights.
        tokens: (1, T) int64.
        state: of each layer (1, S); it is not changed.

    Returns:
        Logits (1, T, V) and the state after the last token.
    """
    states = _arrays(state)
    _check(network, states, 1)
    logits = network.read(tokens[0].cpu().numpy(), states)
    return torch.from_numpy(logits)[None], tuple(map(torch.from_numpy, states))


def _check(network: PackedNetwork, states: list[NDArray[np.float32]], batch_size: int) -> None:
    """Raise ValueError unless states are of a network: the C code would read beyond them."""
    expected, found = [(batch_size, network.state_size)] * network.depth, [part.shape for part in states]
    if found != expected:
        raise ValueError(f"state: expected {expected}, found {found}")


def _arrays(state: State) -> list[NDArray[np.float32]]:
    return [np.array(part.detach().cpu().numpy(), np.float32, order="C") for part in state]


class PackedStepper(Stepper):
    """A Stepper in C.

    Args:
        network: the weights.
        state: of each layer (B, S), or None.
        batch_size: B.
    """

    def __init__(self, network: PackedNetwork, state: State | None, batch_size: int) -> None:
        if state is None:
            states = [np.zeros((batch_size, network.state_size), np.float32) for _ in range(network.depth)]
        else:
            states = _arrays(state)
            _check(network, states, batch_size)
        self._begun = state is not None
        self._step = Step(network, states, batch_size)

    def read(self, tokens: Tokens) -> Logits:
        """See Stepper."""
        self._begun = True
        return self._step(tokens)

    @property
    def state(self) -> tuple[Tensor, ...] | None:
        """See Stepper; a copy."""
        return tuple(torch.from_numpy(state.copy()) for state in self._step.states) if self._begun else None
