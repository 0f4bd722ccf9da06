"""The smoothing `tuned`: discounts and concentrations fitted by gradient on the last part of the training text.

This held-out part is predicted from the counts of the text before it, which are obtained by subtracting the part's own
counts from those of the whole text. Only the training text is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from charrnn.config import SMOOTHINGS
from charrnn.models.hardware.thread_tuner import fixed_threads
from charrnn.models.ngram.counting.count import CountLevel
from charrnn.models.ngram.smoothing.backoff import Discounts, Observations, context_statistics, interpolate
from charrnn.models.ngram.trie import Ints, walk
from charrnn.progress import Progress, no_progress

HELD_OUT_FRACTION = 10
"""The divisor for the held-out part: 1/10 of the training text."""
MAX_HELD_OUT = 200_000
"""The maximum number of characters in the held-out part; enough for a hundred parameters."""
PRIOR = (1.1, 0.4, 0.0, -1.0)
"""The initial parameters before sigmoid and softplus: discounts of 0.75, 1.2 and 1.5, a concentration of about 0.3."""
PRIOR_STRENGTH = 20.0
"""The cost, in nats, of a parameter at distance √2 from the prior; chosen on training text only."""
FEATURES = 3
"""The number of features of a context; see `_features`."""
MAX_ITERATIONS = 12
"""The maximum number of L-BFGS iterations, each of which may evaluate the loss several times."""


def fit_discounts(
    orders: Sequence[CountLevel],
    ids: NDArray[Any],
    vocab_size: int,
    progress: Progress = no_progress,
) -> Discounts:
    """Fit the discounts and the concentration of each order as functions of the context.

    The features of a context are the log of its number of types, and the fraction of types seen once.

    Args:
        orders: the counts of the text, with continuation counts in the lower orders.
        ids: (N,) the text.
        vocab_size: V.
        progress: progress callback (evaluations of the loss, their maximum number).
    """
    length = min(len(ids) // HELD_OUT_FRACTION, MAX_HELD_OUT)
    prior = torch.zeros(len(orders), 4, FEATURES, dtype=torch.double)
    prior[:, :, 0] = torch.tensor(PRIOR, dtype=torch.double)
    if length == 0:
        return discounts_from(prior)
    # There is too little work to share: on a busy machine, several threads took five times as long.
    with fixed_threads(1).piece(), torch.inference_mode(False), torch.enable_grad():
        held_out = held_out_observations(ids, length, orders)
        parameters = prior.clone().requires_grad_()
        max_evaluations = SMOOTHINGS["tuned"].fit_steps
        optimizer = torch.optim.LBFGS(
            [parameters], max_iter=MAX_ITERATIONS, max_eval=max_evaluations, line_search_fn="strong_wolfe"
        )
        evaluations = 0

        def evaluate_loss() -> float:
            nonlocal evaluations
            optimizer.zero_grad()
            nats = -interpolate(held_out, discounts_from(parameters), length, vocab_size).log().sum()
            loss = (nats + PRIOR_STRENGTH / 2 * (parameters - prior).square().sum()) / length
            loss.backward()  # type: ignore[no-untyped-call]
            evaluations += 1
            progress(evaluations, max_evaluations)
            return loss.item()

        optimizer.step(evaluate_loss)  # type: ignore[no-untyped-call]
    return discounts_from(parameters.detach())


def discounts_from(parameters: Tensor) -> Discounts:
    """Return the discounts for parameters.

    Args:
        parameters: (orders, 4, FEATURES): D_1, D_2, D_3 and θ as linear functions of the features, before applying the
            sigmoid (times 1, 2 and 3) or the softplus.
    """
    largest = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.double)

    def discounts(order: int, statistics: Tensor) -> Tensor:
        raw = parameters[order - 1] @ _features(statistics)
        return torch.cat((largest * raw[:3].sigmoid(), softplus(raw[3:])))

    return discounts


def _features(statistics: Tensor) -> Tensor:
    """Compute the features (FEATURES, C) of contexts from their statistics (4, C)."""
    types = statistics[:3].sum(0)
    return torch.stack((torch.ones_like(types), types.log(), statistics[0] / types))


def held_out_observations(ids: NDArray[Any], length: int, orders: Sequence[CountLevel]) -> list[Observations]:
    """Return the observations of the last `length` characters, given the counts of the text before them.

    `orders` are the counts of the whole text, with continuation counts in the lower orders.
    """
    begin = len(ids) - length
    # Reading starts early enough before the held-out part for all contexts to be complete.
    history = ids[max(0, begin - len(orders)) :].astype(np.int64) + 1
    all_contexts = [nodes[0, -length:] for nodes in walk(orders, history[None, :-1])[0]]
    targets = history[-length:]
    observations: list[Observations] = []
    vanished: Ints = np.zeros(0, np.int64)  # one position of each n-gram, one longer, that occurs only in held-out text
    for k in range(len(orders), 0, -1):
        order, contexts = orders[k - 1], all_contexts[k - 1]
        entries = order.find(contexts, targets)
        different, first, index, times = np.unique(entries, return_index=True, return_inverse=True, return_counts=True)
        # Subtract from the counts: in the highest order, the occurrences in the held-out part; in lower orders, the
        # longer n-grams with the same ending that occur only in the held-out part.
        if k < len(orders):
            times = np.bincount(index[vanished], minlength=len(different))
        counts_before = order.counts[different] - times
        vanished = first[counts_before == 0]
        nodes, context_of = np.unique(contexts, return_inverse=True)
        owners, children = order.children(nodes, len(order))
        counts = order.counts[children].astype(np.float64)
        counts[np.searchsorted(children, different)] = counts_before
        statistics = context_statistics(counts, owners, len(nodes))
        rows = np.flatnonzero(statistics[3][context_of])
        seen = np.flatnonzero(statistics[3])
        place = np.zeros(len(nodes), np.int64)
        place[seen] = np.arange(len(seen))
        arrays = rows, counts_before[index][rows].astype(np.float64), place[context_of[rows]], statistics[:, seen]
        observations.append(Observations(*map(torch.from_numpy, arrays)))
    return observations[::-1]
