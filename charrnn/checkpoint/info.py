"""The contents of a checkpoint for `charrnn inspect`; the file is checked as for any other use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from charrnn.checkpoint.build import dtype_name
from charrnn.checkpoint.container import CHECKSUM, read_container
from charrnn.checkpoint.format import (
    HEADER_KEY,
    Checkpoint,
    Model,
    ResumeState,
    config_of,
    ngram_parts,
    tensors_of,
)
from charrnn.checkpoint.io import load, load_resume_state
from charrnn.checkpoint.metadata import from_json
from charrnn.models.interpolated import Network
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a checkpoint; `has_checksum` is true if its checksum was in the file, and verified."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    has_checksum: bool


@dataclass(frozen=True)
class ComponentInfo:
    """A model, or one component of a mixture.

    Attributes:
        name: `model`; in a mixture `network`, `counts`, `short`, `folded` or `gate`.
        config: the settings; None for a gate.
        parameters: the number of weights of a network or gate.
        entries: the number of n-grams of each order, from 1 on.
    """

    name: str
    description: str
    config: dict[str, Any] | None
    parameters: int | None
    entries: tuple[int, ...] | None


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint and everything that its file contains.

    Attributes:
        format: the version of the file format.
        parts: the model, or the components of a mixture.
        tensors: the tensors, sorted by name, with numbers in names sorted by value.
        resume_state: the data for resuming, if the file is the latest state of a training run.
        is_checksummed: whether the header has a checksum, which was verified; old files have none.
    """

    checkpoint: Checkpoint
    format: int
    parts: tuple[ComponentInfo, ...]
    tensors: tuple[TensorInfo, ...]
    resume_state: ResumeState | None
    is_checksummed: bool

    def as_json(self) -> dict[str, Any]:
        """Return what `checkpoint_summary` of `scoring/compare` leaves out: components, tensors, and all metadata."""
        metadata, vocabulary = asdict(self.checkpoint.metadata), self.checkpoint.vocabulary
        return {
            "format": self.format,
            "parts": [asdict(part) for part in self.parts],
            "vocab_size": len(vocabulary),
            "vocabulary": None if vocabulary.is_bytes else list(vocabulary.characters or ()),
            **{name: metadata[name] for name in ("text", "training", "compute", "validation", "command", "versions")},
            "progress": asdict(self.resume_state.progress) if self.resume_state else None,
            "checksums": {
                "header": self.is_checksummed,
                "tensors": sum(tensor.has_checksum for tensor in self.tensors),
                "of_tensors": len(self.tensors),
            },
            "tensors": [asdict(tensor) for tensor in self.tensors],
        }


def read_info(path: Path) -> CheckpointInfo:
    """Read a checkpoint like `load`, and list its contents.

    Raises:
        CheckpointError: see `load`.
    """
    checkpoint = load(path)
    _, metadata, _ = read_container(path, lambda name: False)
    header = from_json("header", json.loads(metadata[HEADER_KEY]), dict[str, object])
    resume_state = load_resume_state(path) if "progress" in header else None
    checksums = from_json(f"header.{CHECKSUM}", header.get(CHECKSUM, {}), dict[str, int])  # checked by `load`
    tensors = tensors_of(checkpoint.model, resume_state)
    return CheckpointInfo(
        checkpoint=checkpoint,
        format=int(str(header["format"])),
        parts=tuple(_describe_parts(checkpoint.model)),
        tensors=tuple(
            TensorInfo(name, dtype_name(tensor), tuple(tensor.shape), tensor.nbytes, name in checksums)
            for name, tensor in sorted(tensors.items(), key=lambda item: _numerical_key(item[0]))
        ),
        resume_state=resume_state,
        is_checksummed=CHECKSUM in metadata,
    )


def _describe_parts(model: Model) -> list[ComponentInfo]:
    if isinstance(model, MixtureModel):
        network = _describe_parts(model.network) if model.network else []
        gate_weights = sum(weights.numel() for weights in model.gate.parameters())
        return [
            *(replace(part, name="network") for part in network),
            *(_describe_ngrams(prefix.removesuffix("."), part) for prefix, part in ngram_parts(model).items()),
            ComponentInfo("gate", "mixing weights for each character", None, gate_weights, None),
        ]
    config, parameters, entries = config_of(model), None, None
    if isinstance(model, Network):
        parameters = model.parameter_count
    elif isinstance(model, NgramModel):
        entries = _entries(model)
    return [ComponentInfo("model", str(config), asdict(config), parameters, entries)]


def _describe_ngrams(name: str, model: NgramModel | FoldedNgramModel) -> ComponentInfo:
    """Return the description of n-grams in a mixture."""
    inner, how = (model.model, ", folded") if isinstance(model, FoldedNgramModel) else (model, "")
    (part,) = _describe_parts(inner)
    return replace(part, name=name, description=f"{part.description}{how}")


def _entries(model: NgramModel) -> tuple[int, ...]:
    """Return the number of n-grams of each order."""
    return tuple(max(0, len(order.tokens) - 1) for order in model.orders)


def _numerical_key(name: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key that puts order 10 after order 9."""
    return tuple((int(word) if word.isdecimal() else 0, word) for word in name.split("."))
