"""Initial weights from another checkpoint, for a text that may have other characters."""

from __future__ import annotations

import torch

from charrnn.checkpoint import Checkpoint
from charrnn.errors import CheckpointError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.vocabulary import Vocabulary

CHARACTER_ROWS = ("embedding.weight", "head.weight", "head.bias")
"""Names of the tensors with a row for each character."""
SHAPE_FIELDS = frozenset(
    {
        "cell", "num_layers", "hidden_size", "embedding_size", "ngram_embedding", "ngram_rows", "window", "residual",
        "networks",
    }
)  # fmt: skip
"""Names of the fields of `ModelConfig` that the initial weights determine."""


def initial_network(checkpoint: Checkpoint) -> RecurrentModel:
    """Return the network of a checkpoint: the network of a mixture, the first of an ensemble.

    Raises:
        CheckpointError: the checkpoint has no network.
    """
    model = checkpoint.model
    if isinstance(model, MixtureModel):
        model = model.network or model
    network = model.networks[0] if isinstance(model, InterpolatedModel) else model
    if not isinstance(network, RecurrentModel):
        raise CheckpointError(f"{checkpoint.path}: is an n-gram model; --init-from needs a network")
    return network


def copy_initial_weights(checkpoint: Checkpoint, network: RecurrentModel, vocabulary: Vocabulary) -> None:
    """Copy the weights of a checkpoint into a network of the same shape.

    Rows are matched by character, not by index, because vocabularies differ in order. Rows of new characters keep
    their values.

    Args:
        checkpoint: the checkpoint with the weights.
        network: the network to change.
        vocabulary: the vocabulary of `network`.
    """
    rows = {character: i for i, character in enumerate(vocabulary.symbols)}
    known = enumerate(checkpoint.vocabulary.symbols)
    pairs = [(rows[character], i) for i, character in known if character in rows]
    to_rows, from_rows = (torch.tensor([pair[side] for pair in pairs]) for side in (0, 1))
    initial = initial_network(checkpoint)
    sources = initial.state_dict()
    if network.ngrams and initial.ngrams:
        network.ngrams.copy_ngrams(initial.ngrams, {old: new for new, old in pairs})
    with torch.no_grad():
        for name, weights in network.state_dict().items():
            if name.startswith("ngrams."):
                continue
            source = sources[name].to(weights.device)
            if name in CHARACTER_ROWS:
                weights[to_rows] = source[from_rows]
            else:
                weights.copy_(source)
