"""All that a checkpoint holds, by name: what `charrnn inspect` shows. It is checked first, as for any other use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from charrnn.checkpoint import files
from charrnn.checkpoint.checksums import CHECKSUM
from charrnn.checkpoint.format import (
    COUNTS,
    KEY,
    NETWORK,
    TRAINING,
    Checkpoint,
    Model,
    Ongoing,
    config_of,
    parts,
    tensors_of,
)
from charrnn.checkpoint.metadata import restore
from charrnn.checkpoint.reading import load, load_ongoing
from charrnn.models.interpolated import Network
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.longest.model import LongestMatchModel


@dataclass(frozen=True)
class TensorFacts:
    """A tensor of a checkpoint.

    Attributes:
        name: its key in the file.
        dtype: such as float32.
        shape: its sizes.
        bytes: that it takes.
        has_checksum: whether it was compared with one.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    has_checksum: bool


@dataclass(frozen=True)
class PartFacts:
    """A model, or one of those that make up a mixture.

    Attributes:
        name: `model`, or what a mixture calls it: `network`, `counts`, `gate`.
        description: in a few words.
        config: its settings; None of a gate.
        parameters: weights of a network.
        entries: n-grams of each order, from 1 on.
    """

    name: str
    description: str
    config: dict[str, Any] | None
    parameters: int | None
    entries: tuple[int, ...] | None


@dataclass(frozen=True)
class Listing:
    """A checkpoint and all that its file holds.

    Attributes:
        checkpoint: model, vocabulary and facts.
        format: the version of the file's format.
        parts: the model; for a mixture, those that it is made of.
        tensors: in the order of their names; orders of n-grams by number.
        ongoing: what resuming needs, if it is the last state of a training.
        is_checksummed: whether its header was compared with a checksum; files from before there were any have none.
    """

    checkpoint: Checkpoint
    format: int
    parts: tuple[PartFacts, ...]
    tensors: tuple[TensorFacts, ...]
    ongoing: Ongoing | None
    is_checksummed: bool

    def as_json(self) -> dict[str, Any]:
        """What is not in `scoring.compare.json_of`: the parts, the tensors, and all facts."""
        facts, vocabulary = self.checkpoint.facts, self.checkpoint.vocabulary
        return {
            "format": self.format,
            "parts": [asdict(part) for part in self.parts],
            "vocab_size": len(vocabulary),
            "vocabulary": None if vocabulary.is_bytes else list(vocabulary.characters or ()),
            "text": asdict(facts.text),
            "training": asdict(facts.training) if facts.training else None,
            "compute": asdict(facts.compute) if facts.compute else None,
            "validation": asdict(facts.validation) if facts.validation else None,
            "progress": asdict(self.ongoing.facts) if self.ongoing else None,
            "command": facts.command,
            "versions": facts.versions,
            "checksums": {
                "header": self.is_checksummed,
                "tensors": sum(one.has_checksum for one in self.tensors),
                "of_tensors": len(self.tensors),
            },
            "tensors": [asdict(one) for one in self.tensors],
        }


def list_contents(path: Path) -> Listing:
    """Read a checkpoint as `load` does, and say what is in it.

    Raises:
        CheckpointError: see `load`.
    """
    checkpoint = load(path)
    _, metadata, _ = files.read(path, lambda name: False)
    header = restore("header", json.loads(metadata[KEY]), dict[str, object])
    ongoing = load_ongoing(path) if "progress" in header else None
    sums = header.get(CHECKSUM)
    tensors = dict(tensors_of(checkpoint.model))
    tensors |= {f"{TRAINING}{name}": one for name, one in ongoing.tensors.items()} if ongoing else {}
    return Listing(
        checkpoint=checkpoint,
        format=int(str(header["format"])),
        parts=tuple(_parts_of(checkpoint.model)),
        tensors=tuple(
            _facts_of(name, tensors[name], isinstance(sums, dict) and name in sums)
            for name in sorted(tensors, key=_by_number)
        ),
        ongoing=ongoing,
        is_checksummed=CHECKSUM in metadata,
    )


def _facts_of(name: str, tensor: Tensor, has_checksum: bool) -> TensorFacts:
    return TensorFacts(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), tensor.nbytes, has_checksum)


def _parts_of(model: Model) -> list[PartFacts]:
    if isinstance(model, MixtureModel):
        network, counts = parts(model)
        (of_network,), (of_counts,) = _parts_of(network), _parts_of(counts)
        gate = sum(weights.numel() for weights in model.gate.parameters())
        return [
            _named(NETWORK, of_network),
            _named(COUNTS, of_counts),
            PartFacts("gate", "how much of each, at each place", None, gate, None),
        ]
    config, entries = config_of(model), None
    if isinstance(model, Network):
        return [PartFacts("model", str(config), asdict(config), model.parameter_count, None)]
    if not isinstance(model, LongestMatchModel):
        entries = tuple(len(order.tokens) - 1 for order in model.orders)
        entries = tuple(max(0, number) for number in entries)
    return [PartFacts("model", str(config), asdict(config), None, entries)]


def _named(prefix: str, part: PartFacts) -> PartFacts:
    return PartFacts(prefix.removesuffix("."), part.description, part.config, part.parameters, part.entries)


def _by_number(name: str) -> tuple[tuple[int, str], ...]:
    """So that order 10 comes after order 9."""
    return tuple((int(word) if word.isdecimal() else 0, word) for word in name.split("."))
