"""Starting from another model's weights, on a text that may have other characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from charrnn.checkpoint import Checkpoint, components
from charrnn.config import ModelConfig
from charrnn.errors import CheckpointError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.vocabulary import Vocabulary

OF_CHARACTERS = ("embedding.weight", "head.weight", "head.bias")
"""The tensors that have a row for each character."""
SHAPE = frozenset({"cell", "num_layers", "hidden_size", "embedding_size", "residual", "networks"})
"""The fields that the weights decide."""


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        config: of the network that they are from.
        vocabulary: whose characters its rows are of.
        weights: by name.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> InitialWeights:
        """From the network of a checkpoint; of a mixture its network, of several the first.

        Raises:
            CheckpointError: it holds none.
        """
        model = checkpoint.model
        if isinstance(model, MixtureModel):
            model = components(model)[0]
        if isinstance(model, InterpolatedModel):
            first = model.networks[0]
            assert isinstance(first, RecurrentModel)
            model = first
        if not isinstance(model, RecurrentModel):
            raise CheckpointError(f"{checkpoint.path}: holds n-grams and no network; name another with --init-from")
        return cls(model.config, checkpoint.vocabulary, model.state_dict())

    @property
    def shape(self) -> dict[str, Any]:
        """The fields of a model's configuration that the weights decide."""
        return {name: getattr(self.config, name) for name in SHAPE}

    def fill(self, network: RecurrentModel, vocabulary: Vocabulary) -> None:
        """Give a network of the same shape the weights.

        Rows go by character, not by place: two vocabularies of one size may have another order. Rows of characters that
        are new stay as they are.
        """
        rows = {character: i for i, character in enumerate(_characters(vocabulary))}
        pairs = [(rows[character], i) for i, character in enumerate(_characters(self.vocabulary)) if character in rows]
        to_rows, from_rows = (torch.tensor([pair[side] for pair in pairs]) for side in (0, 1))
        with torch.no_grad():
            for name, weights in network.state_dict().items():
                source = self.weights[name].to(weights.device)
                if name in OF_CHARACTERS:
                    weights[to_rows] = source[from_rows]
                else:
                    weights.copy_(source)


def _characters(vocabulary: Vocabulary) -> list[str]:
    return [chr(i) for i in range(len(vocabulary))] if vocabulary.is_bytes else list(vocabulary.characters or ())
