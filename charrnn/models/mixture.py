"""A gated mixture of a network and an n-gram model, with weights that depend on both predictions.

p ∝ p_network^a · p_ngram^b: a log-linear mixture (Genest and Zidek 1986; logistic mixing in PAQ, Mahoney 2005). A small
gate computes the weights a and b for each character from the two distributions: how confident each is, and how far they
agree. Unlike a weighted mean, such a product can be more confident than either model when both favor the same character
for different reasons.
"""

from __future__ import annotations

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
GATE_FEATURES = 8
"""The number of inputs of the gate."""


class NgramLike(LanguageModel, Protocol):
    """The interface of an n-gram model in a mixture."""

    @property
    def entries(self) -> int:
        """The number of stored n-grams."""


class MixtureModel(nn.Module):
    """A network and an n-gram model as one language model.

    Its state is the network's, followed by that of the n-gram model. Logits come out on the network's device.
    """

    def __init__(self, network: Network, ngram: NgramLike) -> None:
        super().__init__()
        self.network, self.ngram = network, ngram
        self.gate = nn.Sequential(nn.Linear(GATE_FEATURES, GATE_SIZE), nn.Tanh(), nn.Linear(GATE_SIZE, 2))
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, 0.5)

    @property
    def last(self) -> nn.Linear:
        """The output layer of the gate; while its weights are 0, its bias alone determines a and b."""
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
        return self.ngram.entries

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        network_state, ngram_state = _split(state)
        logits, network_state = self.network(tokens, network_state)
        log_probs, ngram_state = self.ngram(tokens, ngram_state)
        mixed = self.mix(torch.log_softmax(logits, -1), log_probs.to(logits.device))
        return mixed, (*network_state, *ngram_state)

    def mix(self, network: Tensor, ngram: Tensor) -> Tensor:
        """Return the logits of the mixture.

        Args:
            network: (..., V) log-probabilities.
            ngram: (..., V) log-probabilities of the n-gram model, possibly −∞.
        """
        ngram = ngram.clamp(min=MIN_LOG_PROB)
        weights = self.gate(_features(network.detach(), ngram))
        mixed: Tensor = weights[..., :1] * network + weights[..., 1:] * ngram
        return mixed

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        network_state, ngram_state = _split(state)
        network = make_stepper(self.network, network_state, batch_size)
        return MixtureStepper(network, make_stepper(self.ngram, ngram_state, batch_size), self.gate)


class MixtureStepper(Stepper):
    """The steppers of a network and an n-gram model, mixed in numpy as by `MixtureModel.mix`.

    Sums do not depend on the number of rows, unlike those of a matrix product.
    """

    def __init__(self, network: Stepper, ngram: Stepper, gate: nn.Sequential) -> None:
        self.network, self.ngram = network, ngram
        self._weights = [weight.detach().cpu().double().numpy() for weight in gate.parameters()]

    @property
    def state(self) -> State | None:
        network, ngram = self.network.state, self.ngram.state
        return None if network is None or ngram is None else (*network, *ngram)

    def read(self, tokens: Tokens) -> Logits:
        w, b, u, c = self._weights
        network, ngram = log_softmax(self.network.read(tokens)), np.maximum(self.ngram.read(tokens), MIN_LOG_PROB)
        features = _features_of_rows(network, ngram)
        hidden = np.tanh((features[:, None] * w).sum(-1) + b)
        weights = (hidden[:, None] * u).sum(-1) + c
        mixed: Logits = weights[:, :1] * network + weights[:, 1:] * ngram
        return mixed


def _split(state: State | None) -> tuple[State | None, State | None]:
    """Return the states of the network and of the n-gram model."""
    return (None, None) if state is None else (state[:-1], state[-1:])


def _features_of_rows(first: Logits, second: Logits) -> Logits:
    """Compute `_features` of (B, V) in numpy."""
    rows = np.arange(len(first))
    p, q = np.exp(first), np.exp(second)
    best_p, best_q = first.argmax(-1), second.argmax(-1)
    features = (
        (p * first).sum(-1),
        (q * second).sum(-1),
        first[rows, best_p],
        second[rows, best_q],
        np.maximum(first[rows, best_q], MIN_LOG_PROB) / 4,
        np.maximum(second[rows, best_p], MIN_LOG_PROB) / 4,
        np.minimum(p, q).sum(-1),
        best_p == best_q,
    )
    return np.stack(features, -1)


def _features(first: Tensor, second: Tensor) -> Tensor:
    """Return (..., GATE_FEATURES) confidence and agreement of two models, given log-probabilities (..., V)."""
    p, q = first.exp(), second.exp()
    best_p, best_q = first.argmax(-1, keepdim=True), second.argmax(-1, keepdim=True)
    return torch.cat(
        (
            (p * first).sum(-1, keepdim=True),
            (q * second).sum(-1, keepdim=True),
            first.gather(-1, best_p),
            second.gather(-1, best_q),
            first.gather(-1, best_q).clamp(min=MIN_LOG_PROB) / 4,
            second.gather(-1, best_p).clamp(min=MIN_LOG_PROB) / 4,
            torch.minimum(p, q).sum(-1, keepdim=True),
            (best_p == best_q).to(p.dtype),
        ),
        -1,
    )
