"""The distributions of n-gram models in C equal those in numpy, and check what they read."""

import numpy as np
import pytest
import torch

from charrnn.config import NgramConfig
from charrnn.errors import ModelError
from charrnn.models.kernels.build import native_library
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel

needs_compiler = pytest.mark.skipif(native_library() is None, reason="no C compiler")
V = 40


def fitted(length: int = 5000) -> NgramModel:
    ids = np.random.default_rng(0).zipf(1.5, length) % V
    model = fit_ngram(ids, V, NgramConfig(order=5, smoothing="mkn"))
    assert isinstance(model, NgramModel)
    return model


@needs_compiler
@pytest.mark.parametrize("length", [200, 5000, 80_000])
def test_logits_in_c_equal_those_in_numpy(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer texts need larger integer types."""
    model = fitted(length)
    tokens = torch.from_numpy(np.random.default_rng(1).integers(0, V, (3, 50)))
    logits = model(tokens)[0]
    monkeypatch.setenv("CHARRNN_COMPILE", "0")
    assert torch.equal(logits, model(tokens)[0])


@needs_compiler
@pytest.mark.parametrize(("order", "name", "value"), [(1, "tokens", 99), (3, "starts", 10**6)])
def test_damaged_arrays_are_an_error(order: int, name: str, value: int) -> None:
    model = fitted()
    level = model.orders[order - 1]
    array = getattr(level, name)
    wide = array.astype(np.int64)
    wide[1:] = value
    object.__setattr__(level, name, wide)
    with pytest.raises(ModelError, match="n-gram file is damaged"):
        model(torch.zeros(2, 30, dtype=torch.int64))
