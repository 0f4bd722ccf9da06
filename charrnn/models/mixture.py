"""Two models as one: a network and counts, each trusted as far as what both say suggests.

p ∝ p_network^a · p_counts^b: a log-linear mixture (Genest and Zidek 1986; logistic mixing in PAQ, Mahoney 2005), whose
weights a and b depend on the place. A small gate computes them from the two distributions alone: how sure each is, and
how far they agree. Such a product can be surer than either, where both point the same way for different reasons, which
a weighted mean cannot.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from charrnn.models.ensemble import Network
from charrnn.models.language_model import LanguageModel, State

GATE_SIZE = 16
LEAST = -15.0
"""Log-probabilities below this are taken for this: a gate must not see infinite numbers."""
FEATURES = 8


class Counted(LanguageModel, Protocol):
    """A language model of counts."""

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

    def __init__(self, network: Network, counts: Counted) -> None:
        super().__init__()
        self.network, self.counts = network, counts
        self.gate = nn.Sequential(nn.Linear(FEATURES, GATE_SIZE), nn.Tanh(), nn.Linear(GATE_SIZE, 2))
        last = self.gate[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, 0.5)

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
        counts = counts.clamp(min=LEAST)
        weights = self.gate(_features(network.detach(), counts))
        mixed: Tensor = weights[..., :1] * network + weights[..., 1:] * counts
        return mixed


def _features(first: Tensor, second: Tensor) -> Tensor:
    """(..., V) log-probabilities of two models → (..., FEATURES) how sure they are and how far they agree."""
    p, q = first.exp(), second.exp()
    best_p, best_q = first.argmax(-1, keepdim=True), second.argmax(-1, keepdim=True)
    return torch.cat(
        (
            (p * first).sum(-1, keepdim=True),
            (q * second).sum(-1, keepdim=True),
            first.gather(-1, best_p),
            second.gather(-1, best_q),
            first.gather(-1, best_q).clamp(min=LEAST) / 4,
            second.gather(-1, best_p).clamp(min=LEAST) / 4,
            torch.minimum(p, q).sum(-1, keepdim=True),
            (best_p == best_q).to(p.dtype),
        ),
        -1,
    )
