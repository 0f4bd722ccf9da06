"""Several networks as one: the mean of their probabilities.

Networks that start from different weights and read the same text make different mistakes, and what they agree in is
more often right (Hansen and Salamon 1990; for character models Zaremba et al. 2014, section 4.4, as words).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from charrnn.config import ModelConfig
from charrnn.models.blend import BlendStepper
from charrnn.models.language_model import State
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import Stepper
from charrnn.models.steppers import stepper


class EnsembleModel(nn.Module):
    """A language model of several networks; its state is theirs, one after the other.

    Args:
        networks: of one shape and on one device, two at least.

    Attributes:
        config: that of each, with their number.
    """

    def __init__(self, networks: Sequence[RecurrentModel]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.config = replace(networks[0].config, networks=len(networks))
        self.vocab_size = networks[0].vocab_size

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where logits come out."""
        return next(self.parameters()).device

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__; the logits are log-probabilities."""
        layers = self.config.num_layers
        log_probs, after = [], []
        for i, network in enumerate(self.networks):
            logits, new = network(tokens, None if state is None else state[i * layers : (i + 1) * layers])
            log_probs.append(torch.log_softmax(logits.float(), -1))
            after += new
        return torch.logsumexp(torch.stack(log_probs), 0) - math.log(len(self.networks)), tuple(after)

    def stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See `steppers.stepper`."""
        layers, steppers = self.config.num_layers, []
        for i, network in enumerate(self.networks):
            assert isinstance(network, RecurrentModel)
            part = None if state is None else state[i * layers : (i + 1) * layers]
            steppers.append(stepper(network, part, batch_size))
        return BlendStepper(steppers, [-math.log(len(steppers))] * len(steppers))


Network = RecurrentModel | EnsembleModel
"""What a training gives, by itself."""


def as_one(networks: Sequence[RecurrentModel]) -> Network:
    """Networks of one shape as one model; a single one as it is."""
    return networks[0] if len(networks) == 1 else EnsembleModel(networks)


def make_network(config: ModelConfig, vocab_size: int) -> Network:
    """The network, or the networks, of a configuration."""
    one = replace(config, networks=1)
    return as_one([RecurrentModel(one, vocab_size) for _ in range(config.networks)])
