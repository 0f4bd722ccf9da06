"""A gated mixture of a network and n-grams: each is trusted as far as both of their predictions suggest.

p ∝ p_network^a · p_counts^b: a log-linear mixture (Genest and Zidek 1986; logistic mixing in PAQ, Mahoney 2005), whose
weights a and b depend on the place. A small gate computes them from the two distributions alone: how sure each is, and
how far they agree. Such a product can be surer than either, where both point the same way for different reasons, which
a weighted mean cannot.
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
MIN_LOG_PROB = -15.0
"""The lowest log-probability that a gate sees: it must not see infinite numbers."""
GATE_FEATURES = 8


class NgramLike(LanguageModel, Protocol):
    """An n-gram model."""

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
        """The layer of the gate that gives the weights: its bias, as long as its own weights are 0."""
        layer = self.gate[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def vocab_size(self) -> int:
        """The number of characters, V."""
        return self.network.vocab_size

    @property
    def device(self) -> torch.device:
        """Where logits come out."""
        return self.network.device

    @property
    def parameter_count(self) -> int:
        """The number of weights of network and gate."""
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
        """Logits of the mixture.

        Args:
            network: (..., V) log-probabilities.
            ngram: (..., V) those of the n-gram model, perhaps −∞.
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
    """The steppers of a network and of n-grams, mixed as by `MixtureModel.mix`, in numpy.

    No sum depends on how many rows there are, as those of a matrix product would.
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
    """The states of network and n-grams."""
    return (None, None) if state is None else (state[:-1], state[-1:])


def _features_of_rows(first: Logits, second: Logits) -> Logits:
    """`_features` of (B, V) in numpy."""
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
    """(..., V) log-probabilities of two models → (..., GATE_FEATURES) how sure they are and how far they agree."""
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
