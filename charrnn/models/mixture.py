"""A gated mixture of a network and n-gram models, with weights that depend on all predictions.

p ∝ p_1^a · p_2^b · ...: a log-linear mixture (Genest and Zidek 1986; logistic mixing in PAQ, Mahoney 2005). A small
gate computes the weights for each character from the distributions: how confident each is, and how far they agree.
Unlike a weighted mean, such a product can be more confident than any model when all favor the same character for
different reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.models.interpolated import InterpolatedModel, Network
from charrnn.models.language_model import LanguageModel, State
from charrnn.models.stepper import Logits, Stepper, Tokens, log_softmax, make_stepper

GATE_SIZE = 16
"""The number of hidden units of the gate."""
MIN_LOG_PROB = -15.0
"""The log-probability at which the gate's inputs are clipped, because they must be finite."""
FEATURES, PAIR_FEATURES = 2, 4
"""The number of inputs of the gate for each model, and for each pair of models."""


class NgramLike(LanguageModel, Protocol):
    """The interface of an n-gram model in a mixture."""

    @property
    def entries(self) -> int:
        """The number of stored n-grams."""


class MixtureModel(nn.Module):
    """N-gram models, and a network or an ensemble unless it is None, as one language model.

    Its state is the network's, followed by those of the n-gram models. Logits come out on the network's device.

    Args:
        network: the network or networks.
        ngrams: the n-gram models, at least one.
        is_separate: whether each network of an ensemble has its own weight; otherwise their mean has one.
    """

    def __init__(self, network: Network | None, ngrams: Sequence[NgramLike], is_separate: bool = True) -> None:
        super().__init__()
        self.network, self.ngrams, self.is_separate = network, list(ngrams), is_separate
        models = len(self.models)
        inputs = FEATURES * models + PAIR_FEATURES * math.comb(models, 2)
        self.gate = nn.Sequential(nn.Linear(inputs, GATE_SIZE), nn.Tanh(), nn.Linear(GATE_SIZE, models))
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, 1 / models)

    @property
    def networks(self) -> list[LanguageModel]:
        """The networks that have a weight."""
        if self.network is None:
            return []
        if self.is_separate and isinstance(self.network, InterpolatedModel):
            return self.network.models
        return [self.network]

    @property
    def models(self) -> list[LanguageModel]:
        """All parts, in the order of the weights."""
        return [*self.networks, *self.ngrams]

    @property
    def last(self) -> nn.Linear:
        """The output layer of the gate; while its weights are 0, its bias alone determines the weights."""
        layer = self.gate[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""
        return self.models[0].vocab_size

    @property
    def device(self) -> torch.device:
        """The device of the logits."""
        return self.last.weight.device

    @property
    def parameter_count(self) -> int:
        """The number of weights of the network and the gate."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def entries(self) -> int:
        """The number of stored n-grams."""
        return sum(ngram.entries for ngram in self.ngrams)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        log_probs, states = [], []
        networks = len(self.networks)
        for i, (model, before) in enumerate(zip(self.models, self._split(state), strict=True)):
            logits, after = model(tokens, before)
            log_probs.append(torch.log_softmax(logits, -1) if i < networks else logits.to(self.device))
            states.append(after)
        return self.mix(log_probs), tuple(part for after in states for part in after)

    def mix(self, log_probs: Sequence[Tensor]) -> Tensor:
        """Return the logits of the mixture.

        Args:
            log_probs: (..., V) of each network, and of each n-gram model, possibly −∞.
        """
        ngrams = len(self.ngrams)
        parts = [*log_probs[:-ngrams], *(part.clamp(min=MIN_LOG_PROB) for part in log_probs[-ngrams:])]
        weights = self.gate(_features([part.detach() for part in parts])).unbind(-1)
        mixed: Tensor = weights[0][..., None] * parts[0]
        for weight, part in zip(weights[1:], parts[1:], strict=True):
            mixed = mixed + weight[..., None] * part
        return mixed

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        pairs = zip(self.models, self._split(state), strict=True)
        steppers = [make_stepper(model, part, batch_size) for model, part in pairs]
        return MixtureStepper(steppers, self.gate, len(self.ngrams))

    def _split(self, state: State | None) -> list[State | None]:
        """Return the state of each model."""
        if state is None:
            return [None] * len(self.models)
        end = len(state) - len(self.ngrams)
        length = end // max(1, len(self.networks))  # networks of an ensemble have one shape
        networks = [state[begin : begin + length] for begin in range(0, end, length or 1)]
        return [*networks, *((part,) for part in state[end:])]


class MixtureStepper(Stepper):
    """The steppers of networks, if there are any, and of n-gram models, mixed in numpy as by `MixtureModel.mix`.

    Sums do not depend on the number of rows, unlike those of a matrix product.
    """

    def __init__(self, steppers: Sequence[Stepper], gate: nn.Sequential, ngrams: int) -> None:
        self.steppers, self.ngrams = steppers, ngrams
        self._weights = [weight.detach().cpu().double().numpy() for weight in gate.parameters()]

    @property
    def state(self) -> State | None:
        states = [stepper.state for stepper in self.steppers]
        return None if None in states else tuple(part for state in states for part in state or ())

    def read(self, tokens: Tokens) -> Logits:
        w, b, u, c = self._weights
        scores = [stepper.read(tokens) for stepper in self.steppers]
        network = [log_softmax(logits) for logits in scores[: -self.ngrams]]
        log_probs = [*network, *(np.maximum(part, MIN_LOG_PROB) for part in scores[-self.ngrams :])]
        features = _features_of_rows(log_probs)
        hidden = np.tanh((features[:, None] * w).sum(-1) + b)
        weights = (hidden[:, None] * u).sum(-1) + c
        mixed: Logits = weights[:, :1] * log_probs[0]
        for i, part in enumerate(log_probs[1:], 1):
            mixed += weights[:, i : i + 1] * part
        return mixed


def _features_of_rows(log_probs: Sequence[Logits]) -> Logits:
    """Compute `_features` of (B, V) in numpy."""
    rows = np.arange(len(log_probs[0]))
    probs = [np.exp(part) for part in log_probs]
    best = [part.argmax(-1) for part in log_probs]
    features = [(p * part).sum(-1) for p, part in zip(probs, log_probs, strict=True)]
    features += [part[rows, place] for part, place in zip(log_probs, best, strict=True)]
    for i, j in combinations(range(len(log_probs)), 2):
        features += [
            np.maximum(log_probs[i][rows, best[j]], MIN_LOG_PROB) / 4,
            np.maximum(log_probs[j][rows, best[i]], MIN_LOG_PROB) / 4,
            np.minimum(probs[i], probs[j]).sum(-1),
            (best[i] == best[j]).astype(np.float64),
        ]
    return np.stack(features, -1)


def _features(log_probs: Sequence[Tensor]) -> Tensor:
    """Return the inputs of the gate, (..., F), for models with log-probabilities (..., V).

    For each model: its negative entropy, then for each model the log-probability of its favorite. For each pair: the
    log-probability that either gives to the other's favorite, how far the distributions overlap, and whether the
    favorites are equal.
    """
    probs = [part.exp() for part in log_probs]
    best = [part.argmax(-1, keepdim=True) for part in log_probs]
    features = [(p * part).sum(-1, keepdim=True) for p, part in zip(probs, log_probs, strict=True)]
    features += [part.gather(-1, place) for part, place in zip(log_probs, best, strict=True)]
    for i, j in combinations(range(len(log_probs)), 2):
        features += [
            log_probs[i].gather(-1, best[j]).clamp(min=MIN_LOG_PROB) / 4,
            log_probs[j].gather(-1, best[i]).clamp(min=MIN_LOG_PROB) / 4,
            torch.minimum(probs[i], probs[j]).sum(-1, keepdim=True),
            (best[i] == best[j]).to(probs[0].dtype),
        ]
    return torch.cat(features, -1)
