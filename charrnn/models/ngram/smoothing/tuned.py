"""`tuned`: discounts and concentrations fitted by gradient on the last part of the training text.

That part is predicted from the counts of the text before it. These are not counted anew: the part's own counts are
subtracted from those of the whole text. Nothing but training text is read.
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
"""The held-out part is 1/10 of the training text."""
MAX_HELD_OUT = 200_000
"""Characters of the held-out part at most: there are only a hundred parameters."""
PRIOR = (1.1, 0.4, 0.0, -1.0)
"""The initial parameters, before sigmoid and softplus: discounts of .75, 1.2 and 1.5, a concentration of about .3."""
PRIOR_STRENGTH = 20.0
"""The cost in nats of a parameter that is √2 away from the prior. Chosen on training text alone."""
FEATURES = 3
"""The number of features of a context, see `_features`."""
MAX_ITERATIONS = 12
"""Iterations of L-BFGS, each of which may evaluate the loss several times."""


def fit_discounts(
    orders: Sequence[CountLevel],
    ids: NDArray[Any],
    vocab_size: int,
    progress: Progress = no_progress,
) -> Discounts:
    """Fit discounts and concentration of each order as functions of the context.

    The features of a context are its number of types n (as log n) and the share of them that was seen once.

    Args:
        orders: the counts of the text, of continuations in the lower orders.
        ids: (N,) the text.
        vocab_size: V.
        progress: called with the evaluations of the loss done, and their largest number.
    """
    length = min(len(ids) // HELD_OUT_FRACTION, MAX_HELD_OUT)
    prior = torch.zeros(len(orders), 4, FEATURES, dtype=torch.double)
    prior[:, :, 0] = torch.tensor(PRIOR, dtype=torch.double)
    if length == 0:
        return discounts_from(prior)
    # Too little work to share: on a busy machine threads that wait for each other took five times as long.
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
    """The discounts that parameters stand for.

    Args:
        parameters: (orders, 4, FEATURES): D_1, D_2, D_3 and θ as linear functions of the features, before the sigmoid
            (times 1, 2 and 3) or the softplus.
    """
    largest = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.double)

    def discounts(order: int, statistics: Tensor) -> Tensor:
        raw = parameters[order - 1] @ _features(statistics)
        return torch.cat((largest * raw[:3].sigmoid(), softplus(raw[3:])))

    return discounts


def _features(statistics: Tensor) -> Tensor:
    """(4, C) statistics of contexts → (FEATURES, C)."""
    types = statistics[:3].sum(0)
    return torch.stack((torch.ones_like(types), types.log(), statistics[0] / types))


def held_out_observations(ids: NDArray[Any], length: int, orders: Sequence[CountLevel]) -> list[Observations]:
    """The last `length` characters of a text, as the counts of the text before them see them.

    `orders` are the counts of the whole text, of continuations in the lower orders.
    """
    begin = len(ids) - length
    # Enough is read before the held-out part for all contexts to be those of the text.
    history = ids[max(0, begin - len(orders)) :].astype(np.int64) + 1
    all_contexts = [nodes[0, -length:] for nodes in walk(orders, history[None, :-1])[0]]
    targets = history[-length:]
    observations: list[Observations] = []
    vanished: Ints = np.zeros(0, np.int64)  # one place of each n-gram one longer that only the held-out part has
    for k in range(len(orders), 0, -1):
        order, contexts = orders[k - 1], all_contexts[k - 1]
        entries = order.find(contexts, targets)
        different, first, index, times = np.unique(entries, return_index=True, return_inverse=True, return_counts=True)
        # Subtract from the counts: in the highest order, the occurrences in the held-out part; below, the longer
        # n-grams with the same ending that only the held-out part has.
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
