"""Look-ups in the trie compared with dictionaries."""

import numpy as np
import pytest

from charrnn.models.ngram.counting.count import count_ngrams
from charrnn.models.ngram.trie import NOT_FOUND, smallest_integer, walk

V = 9
IDS = np.random.default_rng(0).zipf(1.6, 400) % V


def test_find_finds_every_child_and_nothing_else() -> None:
    for order in count_ngrams(IDS, V, 4):
        contexts = len(order.starts) - 1
        of = np.repeat(np.arange(contexts), np.diff(order.starts))
        children = {(int(c), int(t)): i for i, (c, t) in enumerate(zip(of, order.tokens, strict=True))}
        nodes, tokens = (grid.ravel() for grid in np.mgrid[-1:contexts, : V + 1])
        expected = [children.get((int(c), int(t)), NOT_FOUND) for c, t in zip(nodes, tokens, strict=True)]
        assert order.find(nodes, tokens).tolist() == expected
        assert order.find(nodes[None, :], tokens[None, :]).tolist() == [expected]


def test_children_and_sum_children_equal_slices() -> None:
    order = count_ngrams(IDS, V, 3)[1]
    nodes = np.array([3, 0, 3, 5])
    of, children = order.children(nodes, V + 1)
    expected = [(i, e) for i, node in enumerate(nodes) for e in range(order.starts[node], order.starts[node + 1])]
    assert list(zip(of.tolist(), children.tolist(), strict=True)) == expected
    sums = order.sum_children(order.counts)
    assert sums.tolist() == [order.counts[a:b].sum() for a, b in zip(order.starts[:-1], order.starts[1:], strict=True)]


@pytest.mark.parametrize("text", [IDS[50:90], np.array([8, 8, 8, 0, 1, 7])])
def test_walk_finds_exactly_the_contexts_that_were_seen(text: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    orders = count_ngrams(IDS, V, 4)
    contexts, state = walk(orders, text[None] + 1)
    padded = [0] * 3 + (IDS + 1).tolist()
    seen = {tuple(padded[i : i + k]) for k in (1, 2, 3) for i in range(len(padded) - k + 1)}
    for t in range(len(text)):
        history = [0, 0, 0, *(text[: t + 1] + 1).tolist()]
        for k in (1, 2, 3):
            assert (contexts[k][0, t] != NOT_FOUND) == (tuple(history[-k:]) in seen)
    assert state.tolist() == [[int(actual[0, -1]) for actual in contexts]]
    again, _ = walk(orders, text[None, 4:] + 1, walk(orders, text[None, :4] + 1)[1])
    assert all((one == other[:, 4:]).all() for one, other in zip(again, contexts, strict=True))


def test_smallest_integer_at_limits_gives_the_next_type() -> None:
    sizes = [255, 256, 2**15 - 1, 2**15, 2**31 - 1, 2**31]
    assert [smallest_integer(n) for n in sizes] == [np.uint8, np.int16, np.int16, np.int32, np.int32, np.int64]
