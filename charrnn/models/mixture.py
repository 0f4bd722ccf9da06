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

from charrnn.models.interpolated import Network
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
    """A network and one or several n-gram models as one language model.

    Its state is the network's, followed by those of the n-gram models. Logits come out on the network's device.
    """

    def __init__(self, network: Network, ngrams: Sequence[NgramLike]) -> None:
        super().__init__()
        self.network, self.ngrams = network, list(ngrams)
        models = 1 + len(self.ngrams)
        inputs = FEATURES * models + PAIR_FEATURES * math.comb(models, 2)
        self.gate = nn.Sequential(nn.Linear(inputs, GATE_SIZE), nn.Tanh(), nn.Linear(GATE_SIZE, models))
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, 1 / models)

    @property
    def last(self) -> nn.Linear:
        """The output layer of the gate; while its weights are 0, its bias alone determines the weights."""
        layer = self.gate[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""
        return self.network.vocab_size

    @property
    def device(self) -> torch.device:
        """The device of the logits."""
        return self.network.device

    @property
    def parameter_count(self) -> int:
        """The number of weights of the network and the gate."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def entries(self) -> int:
        """The number of stored n-grams."""
        return sum(ngram.entries for ngram in self.ngrams)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        first, *others = self._split(state)
        logits, after = self.network(tokens, first)
        log_probs = [torch.log_softmax(logits, -1)]
        for ngram, before in zip(self.ngrams, others, strict=True):
            predicted, ngram_after = ngram(tokens, before)
            log_probs.append(predicted.to(logits.device))
            after = (*after, *ngram_after)
        return self.mix(log_probs), after

    def mix(self, log_probs: Sequence[Tensor]) -> Tensor:
        """Return the logits of the mixture.

        Args:
            log_probs: (..., V) of the network, and of each n-gram model, possibly −∞.
        """
        network, *ngrams = log_probs
        ngrams = [ngram.clamp(min=MIN_LOG_PROB) for ngram in ngrams]
        weights = self.gate(_features([network.detach(), *ngrams]))
        mixed = weights[..., :1] * network
        for i, ngram in enumerate(ngrams, 1):
            mixed = mixed + weights[..., i : i + 1] * ngram
        return mixed  # type: ignore[no-any-return]

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        pairs = zip((self.network, *self.ngrams), self._split(state), strict=True)
        return MixtureStepper([make_stepper(model, part, batch_size) for model, part in pairs], self.gate)

    def _split(self, state: State | None) -> list[State | None]:
        """Return the state of each model."""
        if state is None:
            return [None] * (1 + len(self.ngrams))
        end = len(state) - len(self.ngrams)
        return [state[:end], *((part,) for part in state[end:])]


class MixtureStepper(Stepper):
    """The steppers of a network and of n-gram models, mixed in numpy as by `MixtureModel.mix`.

    Sums do not depend on the number of rows, unlike those of a matrix product.
    """

    def __init__(self, steppers: Sequence[Stepper], gate: nn.Sequential) -> None:
        self.steppers = steppers
        self._weights = [weight.detach().cpu().double().numpy() for weight in gate.parameters()]

    @property
    def state(self) -> State | None:
        states = [stepper.state for stepper in self.steppers]
        return None if None in states else tuple(part for state in states for part in state or ())

    def read(self, tokens: Tokens) -> Logits:
        w, b, u, c = self._weights
        first, *others = (stepper.read(tokens) for stepper in self.steppers)
        log_probs = [log_softmax(first), *(np.maximum(other, MIN_LOG_PROB) for other in others)]
        features = _features_of_rows(log_probs)
        hidden = np.tanh((features[:, None] * w).sum(-1) + b)
        weights = (hidden[:, None] * u).sum(-1) + c
        mixed: Logits = np.zeros_like(log_probs[0])
        for i, part in enumerate(log_probs):
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
