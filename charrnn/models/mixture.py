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

from charrnn.models.interpolated import Network, log_softmax
from charrnn.models.language_model import LanguageModel, State
from charrnn.models.stepper import Logits, Stepper, Tokens
from charrnn.models.steppers import stepper

GATE_SIZE = 16
MIN_LOG_PROB = -15.0
"""The lowest log-probability that a gate sees: it must not see infinite numbers."""
GATE_FEATURES = 8


class NgramLike(LanguageModel, Protocol):
    """An n-gram model."""

    @property
    def entries(self) -> int:
        """How many n-grams are stored."""


class MixtureModel(nn.Module):
    """A language model of two.

    Its state is the network's and then that of the counts.

    Args:
        network: on its device.
        counts: a language model without.
    """

    def __init__(self, network: Network, counts: NgramLike) -> None:
        super().__init__()
        self.network, self.counts = network, counts
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
        """How many numbers are learned by gradient."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def entries(self) -> int:
        """How many n-grams are stored."""
        return self.counts.entries

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__."""
        before = (None, None) if state is None else (state[:-1], state[-1:])
        logits, of_network = self.network(tokens, before[0])
        log_probs, of_counts = self.counts(tokens, before[1])
        mixed = self.mix(torch.log_softmax(logits, -1), log_probs.to(logits.device))
        return mixed, (*of_network, *of_counts)

    def mix(self, network: Tensor, counts: Tensor) -> Tensor:
        """Logits of the mixture.

        Args:
            network: (..., V) log-probabilities.
            counts: (..., V) the same of the other model, perhaps −∞.
        """
        counts = counts.clamp(min=MIN_LOG_PROB)
        weights = self.gate(_features(network.detach(), counts))
        mixed: Tensor = weights[..., :1] * network + weights[..., 1:] * counts
        return mixed

    def stepper(self, state: State | None, batch_size: int) -> MixtureStepper:
        """See `steppers.stepper`."""
        before = (None, None) if state is None else (state[:-1], state[-1:])
        return MixtureStepper(
            stepper(self.network, before[0], batch_size), stepper(self.counts, before[1], batch_size), self.gate
        )


class MixtureStepper(Stepper):
    """The steppers of a network and of counts, mixed as by `MixtureModel.mix`, in numpy.

    No sum depends on how many rows there are, as those of a matrix product would.

    Args:
        network: of log-probabilities but for a constant.
        counts: of log-probabilities.
        gate: the mixture's.
    """

    def __init__(self, network: Stepper, counts: Stepper, gate: nn.Sequential) -> None:
        self.network, self.counts = network, counts
        self._weights = [weight.detach().cpu().double().numpy() for weight in gate.parameters()]

    @property
    def state(self) -> State | None:
        """See Stepper."""
        of_network, of_counts = self.network.state, self.counts.state
        return None if of_network is None or of_counts is None else (*of_network, *of_counts)

    def read(self, tokens: Tokens) -> Logits:
        """See Stepper."""
        w, b, u, c = self._weights
        network, counts = log_softmax(self.network.read(tokens)), np.maximum(self.counts.read(tokens), MIN_LOG_PROB)
        features = _features_of_rows(network, counts)
        hidden = np.tanh((features[:, None] * w).sum(-1) + b)
        weights = (hidden[:, None] * u).sum(-1) + c
        mixed: Logits = weights[:, :1] * network + weights[:, 1:] * counts
        return mixed


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
