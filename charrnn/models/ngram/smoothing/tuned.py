"""`tuned`: discounts and concentrations fitted by gradient on the last part of the training text.

That part is predicted from the counts of what stands before it. These are not counted anew: the part's own counts are
taken out of those of the whole. Nothing but training text is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from charrnn.models.ngram.counting.count import Counts
from charrnn.models.ngram.smoothing.methods import Rule, what_is_known
from charrnn.models.ngram.smoothing.observations import Events, predict
from charrnn.models.ngram.trie import Ints, walk

TAIL = 10
"""One part in so many is fitted on."""
MOST_FITTED = 200_000
"""Characters that are fitted on at most: there are only a hundred parameters."""
PRIOR = (1.1, 0.4, 0.0, -1.0)
"""What parameters are before the sigmoid (softplus for the concentration): discounts of .75, 1.2, 1.5; about .3."""
STRENGTH = 20.0
"""How many nats a parameter that is √2 away from the prior costs. Chosen on training text alone."""
FEATURES = 3
"""What a context is described by, see `_features`."""
ITERATIONS = 12
EVALUATIONS = 15
"""Of the loss; a step of L-BFGS may take more than one."""


def tuned(
    ids: NDArray[Any], vocab_size: int, orders: Sequence[Counts], progress: Callable[[int, int], None] | None = None
) -> Rule:
    """Fit the rule: of each order, how discounts and concentration depend on the context.

    Each is a function of the context's number of types n (as log n) and of the share of them that was seen once.

    Args:
        ids: (N,) the text that was counted.
        vocab_size: V.
        orders: its counts, of continuations in the lower orders.
        progress: told the iterations done, and of how many.
    """
    length = min(len(ids) // TAIL, MOST_FITTED)
    prior = torch.zeros(len(orders), 4, FEATURES, dtype=torch.double)
    prior[:, :, 0] = torch.tensor(PRIOR, dtype=torch.double)
    if length == 0:
        return rule_of(prior)
    with _one_thread(), torch.inference_mode(False), torch.enable_grad():
        events = held_out_events(ids, length, orders)
        parameters = prior.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [parameters], max_iter=ITERATIONS, max_eval=EVALUATIONS, line_search_fn="strong_wolfe"
        )
        evaluations = 0

        def loss() -> float:
            nonlocal evaluations
            optimizer.zero_grad()
            nats = -predict(events, rule_of(parameters), length, vocab_size).log().sum()
            result = (nats + STRENGTH / 2 * (parameters - prior).square().sum()) / length
            result.backward()  # type: ignore[no-untyped-call]
            evaluations += 1
            if progress:
                progress(evaluations, EVALUATIONS)
            return result.item()

        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return rule_of(parameters.detach())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Too little work to share: on a busy machine threads that wait for each other took five times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def rule_of(parameters: Tensor) -> Rule:
    """The rule with some parameters.

    Args:
        parameters: (orders, 4, FEATURES): D_1, D_2, D_3 and θ as linear functions of the features, before the sigmoid
            (times 1, 2 and 3) or the softplus.
    """
    largest = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.double)

    def rule(order: int, contexts: Tensor) -> Tensor:
        raw = parameters[order - 1] @ _features(contexts)
        return torch.cat((largest * raw[:3].sigmoid(), softplus(raw[3:])))

    return rule


def _features(contexts: Tensor) -> Tensor:
    """(4, C) what is known of contexts → (FEATURES, C)."""
    types = contexts[:3].sum(0)
    return torch.stack((torch.ones_like(types), types.log(), contexts[0] / types))


def held_out_events(ids: NDArray[Any], length: int, orders: Sequence[Counts]) -> list[Events]:
    """The last characters of a text as the counts of what stands before them see them.

    Args:
        ids: (N,) the text.
        length: how many characters are held out.
        orders: the counts of the whole text, of continuations in the lower orders.
    """
    begin = len(ids) - length
    # Enough is read before the held-out part for all contexts to be those of the text.
    history = ids[max(0, begin - len(orders)) :].astype(np.int64) + 1
    contexts = [found[0, -length:] for found in walk(orders, history[None, :-1])[0]]
    targets = history[-length:]
    events: list[Events] = []
    gone: Ints = np.zeros(0, np.int64)
    for k in range(len(orders), 0, -1):
        counts, before = orders[k - 1], contexts[k - 1]
        entries = counts.find(before, targets)
        different, first, index, times = np.unique(entries, return_index=True, return_inverse=True, return_counts=True)
        # What is left of the counts without the held-out part: of the highest order, the other occurrences; below, the
        # n-grams that end alike and are left themselves.
        if k < len(orders):
            times = np.bincount(index[gone], minlength=len(different))
        left = counts.counts[different] - times
        gone = first[left == 0]
        nodes, of = np.unique(before, return_inverse=True)
        owners, children = counts.children(nodes, len(counts))
        values = counts.counts[children].astype(np.float64)
        values[np.searchsorted(children, different)] = left
        seen = what_is_known(values, owners, len(nodes))
        rows = np.flatnonzero(seen[3][of])
        some = np.flatnonzero(seen[3])
        place = np.zeros(len(nodes), np.int64)
        place[some] = np.arange(len(some))
        arrays = rows, left[index][rows].astype(np.float64), place[of[rows]], seen[:, some]
        events.append(Events(*map(torch.from_numpy, arrays)))
    return events[::-1]
