"""How much a loss depends on what was read before it: the gradient that vanishes or explodes.

With L_t = −log p(character t+1 | characters up to t) and x_s the vector that the first layer reads for character s: it
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
"""Places that are read side by side."""


def input_gradients(
    model: RecurrentModel,
    ids: NDArray[Any],
    places: NDArray[np.int64],
    furthest: int,
    warm_up: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The norm of the gradient of the loss at each place with respect to each input before it.

    All is computed in double precision: single precision ends at 1e-38 (1e-45 denormal), where gradients do not.

    Args:
        model: a network; it is copied, and not changed. Its dropout is left out.
        ids: (N,) a text.
        places: (P,) the t: after each of them a character is predicted, so furthest + warm_up ≤ t < N − 1.
        furthest: the largest d.
        warm_up: characters that are read before x_{t−furthest}, so that the state is no empty one.
        progress: progress callback, in places.

    Returns:
        (P, furthest + 1): the norms, by d.
    """
    where = torch.device("cpu") if model.device.type == "mps" else model.device  # which has no double precision
    double = trainable_copy(model, where).double()
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
    """(B, warm_up + T + 1) characters → (B, T, D): the gradient of the loss of the last one, as to what comes after the
    warm-up.
    """
    state = model.empty_state(len(tokens))
    with torch.no_grad():
        if warm_up:
            _, state = model.read_inputs(model.embed(tokens[:, :warm_up]), state)
        x = model.embed(tokens[:, warm_up:-1])
    x.requires_grad_()
    logits, _ = model.read_inputs(x, state)
    loss = functional.cross_entropy(logits[:, -1], tokens[:, -1].to(logits.device), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)  # rows do not know each other, so the sum has each one's gradient
    return gradient
