"""The distributions of one order of an n-gram model in C (`native/ngram.c`), ten times as fast as in numpy."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.kernels.build import native_library, thread_count

MIN_CONTEXTS = 16
"""Minimum number of contexts; calling C takes longer than numpy for fewer."""


def add_order(
    contexts: NDArray[np.int64],
    starts: NDArray[Any],
    tokens: NDArray[Any],
    weights: NDArray[np.float32],
    backoffs: NDArray[np.float32],
    p: NDArray[np.float64],
) -> bool:
    """Turn the probabilities of the order below into those of this order.

    Args:
        contexts: (N,) the context of each row; −1 leaves a row unchanged.
        starts: (C + 1,) the first child of each context; see `BackoffLevel` for these four.
        tokens: (E,) the last character of each n-gram, plus 1.
        weights: (E,).
        backoffs: (C,).
        p: (N, V + 1) the probabilities of all tokens, updated in place.

    Returns:
        Whether it was done; False without a compiler, and for few contexts.

    Raises:
        IndexError: the children of a context are out of range.
    """
    library = native_library() if len(contexts) >= MIN_CONTEXTS else None
    if library is None:
        return False
    contexts, starts, tokens = (np.ascontiguousarray(part) for part in (contexts, starts, tokens))
    weights, backoffs = np.ascontiguousarray(weights), np.ascontiguousarray(backoffs)
    function = library.ngram_order
    function.restype = ctypes.c_long
    pointers = [part.ctypes.data_as(ctypes.c_void_p) for part in (contexts, starts, tokens, weights, backoffs, p)]
    bad = function(
        pointers[0], ctypes.c_long(len(contexts)), pointers[1], starts.itemsize, pointers[2], tokens.itemsize,
        pointers[3], pointers[4], ctypes.c_long(min(len(starts) - 1, len(backoffs))),
        ctypes.c_long(min(len(tokens), len(weights))), pointers[5], ctypes.c_long(p.shape[1]),
        thread_count(len(contexts), p.size),
    )  # fmt: skip
    if bad >= 0:
        raise IndexError(f"the children of context {contexts[bad]} are out of range")
    return True
