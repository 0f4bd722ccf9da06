"""What a checkpoint holds: a model of any kind, its vocabulary and its facts; and how a model becomes tensors."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from charrnn.checkpoint.metadata import Facts, ProgressFacts
from charrnn.checkpoint.names import SUFFIX
from charrnn.config import MixtureConfig, ModelConfig, NgramConfig
from charrnn.errors import ModelError
from charrnn.models.interpolated import InterpolatedModel, Network
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.longest.model import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.text.vocabulary import Vocabulary

FORMAT = 1
KEY = "charrnn"
"""Of the JSON string in a file's metadata."""
Model = Network | NgramModel | LongestMatchModel | MixtureModel
"""All that a checkpoint may hold."""
NETWORK, COUNTS, GATE = "network.", "counts.", "gate."
"""Begin the names of a mixture's tensors."""
TRAINING = "training."
"""Begins the names of tensors that only resuming needs."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with its vocabulary and history; `path` and `size` (bytes) are those of its file, if it has one."""

    model: Model
    vocabulary: Vocabulary
    facts: Facts
    path: Path
    size: int

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def kind(self) -> str:
        """`recurrent`, `ngram` or `mixture`."""
        return kind_of(self.model)

    @property
    def description(self) -> str:
        """The model in a few words, such as `lstm 2x256`."""
        return describe(self.model)


@dataclass(frozen=True)
class Ongoing:
    """What resuming needs beside the model: numbers, and tensors by name."""

    facts: ProgressFacts
    tensors: dict[str, Tensor]


def taken_apart(checkpoint: Checkpoint) -> list[Checkpoint]:
    """A mixture and then its parts, each as a checkpoint of its own; what is no mixture by itself."""
    if not isinstance(checkpoint.model, MixtureModel):
        return [checkpoint]
    network, counts = (checkpoint.path.with_name(f"{checkpoint.name}.{name}") for name in ("network", "counts"))
    of_network, of_counts = parts(checkpoint.model)
    return [
        checkpoint,
        dataclasses.replace(checkpoint, model=of_network, path=network),
        dataclasses.replace(checkpoint, model=of_counts, path=counts),
    ]


def parts(model: MixtureModel) -> tuple[Network, NgramModel]:
    """The two models of a mixture."""
    assert isinstance(model.counts, NgramModel)
    return model.network, model.counts


def is_mean(model: Model) -> bool:
    """Whether a model is a weighted mean of others, which is in no file; an ensemble of networks is a network."""
    return isinstance(model, InterpolatedModel) and model.weights is not None


def kind_of(model: Model) -> str:
    """`recurrent`, `ngram` or `mixture`."""
    if isinstance(model, MixtureModel) or is_mean(model):
        return "mixture"
    return "recurrent" if isinstance(model, Network) else "ngram"


def describe(model: LanguageModel) -> str:
    """The model in a few words, such as `lstm 2x256`, or `60% lstm 2x256, 40% mkn order 9`."""
    if isinstance(model, InterpolatedModel) and model.weights is not None:
        pairs = zip(model.weights, model.models, strict=True)
        return ", ".join(f"{weight:.0%} {describe(part)}" for weight, part in pairs)
    assert isinstance(model, Model)
    return str(config_of(model))


def config_of(model: Model) -> ModelConfig | NgramConfig | MixtureConfig:
    """What its shape follows from."""
    if is_mean(model):
        raise ModelError("a weighted mean of models has no checkpoint; save the models, and mix them with --mix")
    if isinstance(model, MixtureModel):
        network, counts = parts(model)
        return MixtureConfig(network.config, counts.config)
    return model.config


def tensors_of(model: Model) -> dict[str, Tensor]:
    """All that a file must hold of it, by name."""
    if isinstance(model, MixtureModel):
        counted = {f"{COUNTS}{name}": tensor for name, tensor in parts(model)[1].tensors().items()}
        return {**model.state_dict(), **counted}
    return model.state_dict() if isinstance(model, Network) else model.tensors()


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without it."""
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
