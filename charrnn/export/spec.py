"""Models in the form that the page reads: a nested description, whose arrays are numbers of a container."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.export.container import Container
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.cells import Attention, Cell
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import UNUSED, NgramEmbedding

Spec = dict[str, Any]
"""A description of a model or a part of one, which becomes JSON."""


def model_spec(model: LanguageModel, container: Container, encoding: str) -> Spec:
    """Add the arrays of a model to a container, and return its description.

    Args:
        model: the model.
        container: receives the arrays.
        encoding: the encoding of the matrices of networks, `f16` or `i8`; vectors are exact.
    """
    if isinstance(model, RecurrentModel):
        return _network(model, container, encoding)
    if isinstance(model, InterpolatedModel) and model.weights is None:
        return {"kind": "ensemble", "models": [model_spec(part, container, encoding) for part in model.models]}
    if isinstance(model, NgramModel):
        return _ngrams(model, container)
    if isinstance(model, FoldedNgramModel):
        return {
            "kind": "folded",
            "model": _ngrams(model.model, container),
            "classes": container.add_integers(model.classes.numpy()),
            "logShares": container.add(model.log_shares.numpy(), "f32"),
        }
    if isinstance(model, MixtureModel):
        networks = model.networks
        return {
            "kind": "mixture",
            "networks": [model_spec(part, container, encoding) for part in networks],
            "ngrams": [model_spec(part, container, encoding) for part in model.ngrams],
            "gate": [container.add(_array(weight), "f32") for weight in model.gate.parameters()],
        }
    raise TypeError(f"{type(model).__name__} has no description")


def _network(model: RecurrentModel, container: Container, encoding: str) -> Spec:
    def matrix(weight: Tensor) -> int:
        return container.add(_array(weight), encoding)

    def vector(weight: Tensor) -> int:
        return container.add(_array(weight), "f32")

    def linear(layer: nn.Module | None) -> list[int] | None:
        return [matrix(layer.weight), vector(layer.bias)] if isinstance(layer, nn.Linear) else None

    def layer(name: str, cell: Cell) -> Spec:
        if isinstance(cell, Attention):
            names = ("enter", "query", "key", "value", "merge", "expand", "contract")
            parts = {part: linear(getattr(cell, part)) for part in names}
            return {"cell": name, "window": cell.window, "heads": cell.heads, **parts}
        weights = cell.native_weights()
        return {
            "cell": name,
            "input": matrix(weights.input),
            "recurrent": None if weights.recurrent is None else matrix(weights.recurrent),
            "bias": vector(weights.bias),
            "inner": None if weights.inner is None else vector(weights.inner),
        }

    cells = [cell for cell in model.cells if isinstance(cell, Cell)]
    return {
        "kind": "network",
        "hidden": model.config.hidden_size,
        "residual": model.config.residual,
        "embedding": matrix(model.embedding.weight),
        "layers": [layer(name, cell) for name, cell in zip(model.config.layer_cells, cells, strict=True)],
        "head": matrix(model.head.weight),
        "headBias": vector(model.head.bias),
        "ngrams": None if model.ngrams is None else _ngram_embedding(model.ngrams, container, encoding),
    }


def _ngram_embedding(embedding: NgramEmbedding, container: Container, encoding: str) -> Spec:
    keys = embedding.keys.numpy()
    weight = _array(embedding.weight)
    used = (keys != UNUSED) & weight.any(axis=1)  # row 0, and rows that were pruned, are 0
    return {
        "order": embedding.order,
        "base": embedding.base,
        "keys": container.add(keys[used], "u64"),
        "weight": container.add(weight[used], encoding),
    }


def _ngrams(model: NgramModel, container: Container) -> Spec:
    is_negative = model.config.method.has_negative_weights
    encoding = "f32" if is_negative else "log16"
    return {
        "kind": "ngrams",
        "vocabularySize": model.vocab_size,
        "canBackOff": not is_negative,
        "orders": [
            {
                "tokens": container.add_integers(order.tokens),
                "sizes": container.add_integers(np.diff(order.starts.astype(np.int64))),
                "weights": container.add(order.weights, encoding),
                "backoffs": container.add(order.backoffs, encoding),
            }
            for order in model.orders
        ],
    }


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
