"""Gradients of the loss with respect to earlier inputs: how they vanish or explode with distance.

With L_t = −log p(character t+1 | characters up to t), and x_s the input vector of the first layer for character s, that
is ‖∂L_t/∂x_{t−d}‖ for d = 0, 1, 2, … (Hochreiter 1991; Bengio, Simard and Frasconi 1994).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from charrnn.models.rnn.model import RecurrentModel, trainable_copy
from charrnn.progress import Progress

ROWS = 64
"""Number of positions in a batch."""


def input_gradients(
    model: RecurrentModel,
    ids: NDArray[Any],
    places: NDArray[np.int64],
    furthest: int,
    warm_up: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Compute the norms of the gradients of the loss at each position with respect to the inputs before it.

    The computation is in double precision, because gradients fall below the range of single precision (1e-38, or 1e-45
    denormal).

    Args:
        model: a network, which is copied and not changed; dropout is off.
        ids: (N,) a text.
        places: (P,) the positions t, furthest + warm_up ≤ t < N − 1; the loss is that of character t + 1.
        furthest: the largest distance d.
        warm_up: number of characters read before x_{t−furthest}, so that the state is realistic.
        progress: progress callback, in positions.

    Returns:
        (P, furthest + 1): the norms for d = 0 … furthest.
    """
    device = torch.device("cpu") if model.device.type == "mps" else model.device  # MPS has no double precision
    double = trainable_copy(model, device).double()
    norms = []
    for begin in range(0, len(places), ROWS):
        ends = places[begin : begin + ROWS]
        offsets = np.arange(-furthest - warm_up, 2)
        tokens = torch.from_numpy(ids[ends[:, None] + offsets].astype(np.int64))
        norms.append(_gradients(double, tokens, warm_up).norm(dim=2).flip(1).cpu().numpy())
        if progress:
            progress(begin + len(ends), len(places))
    return np.concatenate(norms)


def _gradients(model: RecurrentModel, tokens: Tensor, warm_up: int) -> Tensor:
    """Return the gradients, (B, T, D), of the last character's loss with respect to the inputs after the warm-up.

    `tokens` are (B, warm_up + T + 1) characters.
    """
    state = model.empty_state(len(tokens))
    with torch.no_grad():
        if warm_up:
            _, state = model(tokens[:, :warm_up], state)
        x, _ = model.embed(tokens[:, warm_up:-1], state)
    x.requires_grad_()
    logits, _ = model.read_inputs(x, model.layer_states(state))
    loss = functional.cross_entropy(logits[:, -1], tokens[:, -1].to(logits.device), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)  # rows are independent, so the gradient of the sum is each row's own
    return gradient
