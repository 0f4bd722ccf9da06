"""Starting from another model's weights, on a text that may have other characters."""

from __future__ import annotations

import torch

from charrnn.checkpoint import Checkpoint, components
from charrnn.errors import CheckpointError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.vocabulary import Vocabulary

CHARACTER_ROWS = ("embedding.weight", "head.weight", "head.bias")
"""The tensors that have a row for each character."""
SHAPE_FIELDS = frozenset({"cell", "num_layers", "hidden_size", "embedding_size", "residual", "networks"})
"""The fields of a model's configuration that the weights decide."""


def initial_network(checkpoint: Checkpoint) -> RecurrentModel:
    """The network to start from: of a mixture its network, of several the first.

    Raises:
        CheckpointError: the checkpoint holds none.
    """
    model = checkpoint.model
    if isinstance(model, MixtureModel):
        model = components(model)[0]
    network = model.networks[0] if isinstance(model, InterpolatedModel) else model
    if not isinstance(network, RecurrentModel):
        raise CheckpointError(f"{checkpoint.path}: holds n-grams and no network; name another with --init-from")
    return network


def copy_initial_weights(checkpoint: Checkpoint, network: RecurrentModel, vocabulary: Vocabulary) -> None:
    """Give a network of the same shape the weights of a checkpoint.

    Rows go by character, not by index: two vocabularies of one size may have another order. Rows of characters that
    are new stay as they are.
    """
    rows = {character: i for i, character in enumerate(_characters(vocabulary))}
    known = enumerate(_characters(checkpoint.vocabulary))
    pairs = [(rows[character], i) for i, character in known if character in rows]
    to_rows, from_rows = (torch.tensor([pair[side] for pair in pairs]) for side in (0, 1))
    sources = initial_network(checkpoint).state_dict()
    with torch.no_grad():
        for name, weights in network.state_dict().items():
            source = sources[name].to(weights.device)
            if name in CHARACTER_ROWS:
                weights[to_rows] = source[from_rows]
            else:
                weights.copy_(source)


def _characters(vocabulary: Vocabulary) -> list[str]:
    return [chr(i) for i in range(len(vocabulary))] if vocabulary.is_bytes else list(vocabulary.characters or ())
