"""The contents of a checkpoint: a model of any kind, with its vocabulary and metadata; a model's tensors by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from charrnn.checkpoint.metadata import Metadata, TrainingProgress
from charrnn.config import MixtureConfig, ModelConfig, NgramConfig
from charrnn.errors import ModelError
from charrnn.models.interpolated import InterpolatedModel, Network
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.longest.longest_match import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.paths import CHECKPOINT_SUFFIX
from charrnn.text.vocabulary import Vocabulary

FORMAT_VERSION = 1
"""The newest version of the file format, and the only one so far."""
HEADER_KEY = "charrnn"
"""The key of the header, a JSON string, in the metadata of a safetensors file."""
Model = Network | NgramModel | LongestMatchModel | MixtureModel
"""The kinds of models that a checkpoint may hold."""
NETWORK, NGRAM, SHORT, FOLDED, GATE = "network.", "counts.", "short.", "folded.", "gate."
"""The prefixes of the tensor names of a mixture's components."""
TRAINING = "training."
"""The prefix of the names of tensors that are only needed to resume."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with its vocabulary and metadata; `path` and `size` (in bytes) are those of its file, if there is one."""

    model: Model
    vocabulary: Vocabulary
    metadata: Metadata
    path: Path
    size: int

    @property
    def name(self) -> str:
        """The name of the file without its suffix."""
        return self.path.name.removesuffix(CHECKPOINT_SUFFIX)

    @property
    def kind(self) -> str:
        """The kind of model: `recurrent`, `ngram` or `mixture`."""
        return kind_of(self.model)

    @property
    def description(self) -> str:
        """A short description of the model, such as `lstm 2x256`."""
        return describe(self.model)


@dataclass(frozen=True)
class ResumeState:
    """The additional data needed to resume training: progress in numbers, and tensors by name."""

    progress: TrainingProgress
    tensors: dict[str, Tensor]


def split_mixture(checkpoint: Checkpoint) -> list[Checkpoint]:
    """Return a mixture, its network and its longest n-grams as three checkpoints; any other checkpoint alone."""
    if not isinstance(checkpoint.model, MixtureModel) or checkpoint.kind == "ngram":
        return [checkpoint]
    checkpoints = [checkpoint]
    for name, model in zip(("network", "counts"), components(checkpoint.model), strict=True):
        path = checkpoint.path.with_name(f"{checkpoint.name}.{name}")
        checkpoints.append(dataclasses.replace(checkpoint, model=model, path=path))
    return checkpoints


def components(model: MixtureModel) -> tuple[Network, NgramModel]:
    """Return the network and the longest n-grams of a mixture that has a network."""
    counts = model.ngrams[0]
    assert isinstance(counts, NgramModel)
    assert model.network
    return model.network, counts


def ngram_parts(model: MixtureModel) -> dict[str, NgramModel | FoldedNgramModel]:
    """Return the n-gram models of a mixture by the prefixes of their tensor names."""
    parts: dict[str, NgramModel | FoldedNgramModel] = {}
    for part in model.ngrams:
        assert isinstance(part, NgramModel | FoldedNgramModel)
        is_folded = isinstance(part, FoldedNgramModel)
        parts[FOLDED if is_folded else SHORT if NGRAM in parts else NGRAM] = part
    return parts


def is_mean(model: Model) -> bool:
    """Return whether a model is a weighted mean of others, which has no file; an ensemble counts as a network."""
    return isinstance(model, InterpolatedModel) and model.weights is not None


def kind_of(model: Model) -> str:
    """Return the kind of a model: `recurrent`, `ngram` or `mixture`."""
    if isinstance(model, MixtureModel):
        return "mixture" if model.network else "ngram"
    if is_mean(model):
        return "mixture"
    return "recurrent" if isinstance(model, Network) else "ngram"


def describe(model: LanguageModel) -> str:
    """Return a short description of a model, such as `lstm 2x256`, or `60% lstm 2x256, 40% mkn order 9`."""
    if isinstance(model, InterpolatedModel) and model.weights is not None:
        pairs = zip(model.weights, model.models, strict=True)
        return ", ".join(f"{weight:.0%} {describe(part)}" for weight, part in pairs)
    assert isinstance(model, Model)
    return str(config_of(model))


def config_of(model: Model) -> ModelConfig | NgramConfig | MixtureConfig:
    """Return the configuration that determines a model's shape."""
    if is_mean(model):
        raise ModelError("a weighted mean of models cannot be saved; save the models, and mix them with --mix")
    if isinstance(model, MixtureModel):
        parts = ngram_parts(model)
        counts, short = parts[NGRAM], parts.get(SHORT)
        assert isinstance(counts, NgramModel)
        order = short.config.order if isinstance(short, NgramModel) else None
        return MixtureConfig(
            model.network.config if model.network else None, counts.config, order, FOLDED in parts, model.is_separate
        )
    return model.config


def tensors_of(model: Model, resume_state: ResumeState | None = None) -> dict[str, Tensor]:
    """Return all tensors to store for a model, and for resuming, by name."""
    tensors = dict(model.state_dict() if isinstance(model, Network | MixtureModel) else model.tensors())
    if isinstance(model, MixtureModel):
        for prefix, part in ngram_parts(model).items():
            tensors |= {f"{prefix}{name}": tensor for name, tensor in part.tensors().items()}
    if resume_state:
        tensors |= {f"{TRAINING}{name}": tensor for name, tensor in resume_state.tensors.items()}
    return tensors


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, by their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
