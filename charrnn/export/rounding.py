"""Models with the weights that a page has: rounded to 16 or 8 bits, which costs almost nothing."""

from __future__ import annotations

import copy

import torch
from torch import nn

from charrnn.checkpoint import Model
from charrnn.export.container import rounded
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import BackoffLevel


def rounded_model(model: Model, encoding: str) -> Model:
    """Return a copy of a model with the weights that a page with this encoding of matrices has."""
    if isinstance(model, NgramModel):
        return _rounded_ngrams(model)
    if not isinstance(model, nn.Module):
        return model
    ngrams = model.ngrams if isinstance(model, MixtureModel) else []
    copied: Model = copy.deepcopy(model, {id(ngram): ngram for ngram in ngrams})
    assert isinstance(copied, nn.Module)
    gate = set(map(id, copied.gate.parameters())) if isinstance(copied, MixtureModel) else set[int]()
    with torch.no_grad():
        for weight in copied.parameters():
            if weight.dim() == 2 and id(weight) not in gate:
                weight.copy_(torch.from_numpy(rounded(weight.detach().cpu().numpy(), encoding)))
    if isinstance(copied, MixtureModel):
        copied.ngrams = [
            FoldedNgramModel(_rounded_ngrams(part.model), part.classes, part.log_shares)
            if isinstance(part, FoldedNgramModel)
            else _rounded_ngrams(part)
            for part in copied.ngrams
            if isinstance(part, NgramModel | FoldedNgramModel)
        ]
    return copied


def _rounded_ngrams(model: NgramModel) -> NgramModel:
    if model.config.method.has_negative_weights:
        return model
    orders = [
        BackoffLevel(order.tokens, order.starts, rounded(order.weights, "log16"), rounded(order.backoffs, "log16"))
        for order in model.orders
    ]
    return NgramModel(model.config, model.vocab_size, orders)
