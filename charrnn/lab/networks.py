"""Networks of the experiments: with their first weights by seed, and of a size that is given in parameters."""

from __future__ import annotations

import functools
from bisect import bisect_right

import torch

from charrnn.config import ModelConfig
from charrnn.errors import UsageError
from charrnn.models.rnn.model import RecurrentModel

SLACK = 0.02
"""Share of the parameters by which networks of the same size may differ from it."""
MAX_WIDTH = 1 << 12


def new_network(config: ModelConfig, vocab_size: int, seed: int, device: torch.device) -> RecurrentModel:
    """A network with the first weights of a seed, in evaluation mode; the generators of others are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecurrentModel(config, vocab_size).to(device).eval()


def config_of_size(cell: str, num_layers: int, vocab_size: int, parameters: int) -> ModelConfig:
    """The network of a cell that comes next to a number of parameters, embedding and head included.

    Raises:
        UsageError: none comes within SLACK of it.
    """
    size_of = functools.partial(parameter_count, cell, num_layers, vocab_size)
    larger = bisect_right(range(MAX_WIDTH), parameters, 2, key=size_of)
    width = min((larger - 1, larger), key=lambda width: abs(size_of(width) - parameters))
    if abs(size_of(width) - parameters) > SLACK * parameters:
        raise UsageError(
            f"no {cell} of {num_layers} layers has {parameters:,} parameters, or {SLACK:.0%} more or less, for a text "
            f"of {vocab_size:,} different characters; take a text with fewer of them"
        )
    return ModelConfig(cell, num_layers, width)


def parameter_count(cell: str, num_layers: int, vocab_size: int, width: int) -> int:
    """The parameters of such a network, which is not made."""
    with torch.device("meta"):
        return RecurrentModel(ModelConfig(cell, num_layers, width), vocab_size).parameter_count
