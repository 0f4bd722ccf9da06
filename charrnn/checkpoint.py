"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows every kind of model.

The weights are the file's tensors. One JSON string in its metadata, under the key "charrnn", holds the rest: see Facts.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from charrnn.config import MixtureConfig, ModelConfig, NgramConfig
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.facts import Facts, ProgressFacts, restore
from charrnn.models.ensemble import Network, make_network
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.longest import LongestMatchModel
from charrnn.models.ngram.model import NgramModel
from charrnn.text.vocabulary import Vocabulary

FORMAT = 1
KEY = "charrnn"
SUFFIX = ".safetensors"
Model = Network | NgramModel | LongestMatchModel | MixtureModel
"""All that a checkpoint may hold."""
NETWORK, COUNTS, GATE = "network.", "counts.", "gate."
"""Begin the names of a mixture's tensors."""
TRAINING = "training."
"""Begins the names of tensors that only resuming needs."""
LAST, PREVIOUS = "-last", "-previous"
"""End the names of the state that a training is in, which may not be its best, and of the one saved before."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with its vocabulary and history; `path` and `size` (bytes) are those of its file."""

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
        return _kind_of(self.model)

    @property
    def description(self) -> str:
        """The model in a few words, such as `lstm 2x256`."""
        return str(_config_of(self.model))


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


@dataclass(frozen=True)
class Ongoing:
    """What resuming needs beside the model: numbers, and tensors by name."""

    facts: ProgressFacts
    tensors: dict[str, Tensor]


def save(
    path: Path,
    model: Model,
    vocabulary: Vocabulary,
    facts: Facts,
    ongoing: Ongoing | None = None,
    previous: Path | None = None,
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        model: its weights or counts.
        vocabulary: its characters.
        facts: where it comes from.
        ongoing: of a training that may go on from here.
        previous: where what is in the file now is kept.

    Raises:
        CheckpointError: it cannot be written.
    """
    tensors = _tensors_of(model)
    if ongoing:
        tensors = {**tensors, **{f"{TRAINING}{name}": tensor for name, tensor in ongoing.tensors.items()}}
    header = {
        "format": FORMAT,
        "kind": _kind_of(model),
        "model": dataclasses.asdict(_config_of(model)),
        "vocabulary": None if vocabulary.is_bytes else "".join(vocabulary.characters or ()),
        **dataclasses.asdict(facts),
        **({"progress": dataclasses.asdict(ongoing.facts)} if ongoing else {}),
    }
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=path.parent) as folder:
            part = Path(folder) / path.name
            part.touch()
            mode = part.stat().st_mode  # what the user's umask says; safetensors makes private files
            save_file(on_cpu, part, metadata={KEY: json.dumps(header)})
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.chmod(mode)
            if previous and path.exists():
                _keep(path, previous, Path(folder) / "previous")
            part.replace(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CheckpointError(
            f"{path}: cannot be written: {reason}; make room, or say another place with --out"
        ) from error


def _keep(path: Path, previous: Path, link: Path) -> None:
    """Let a file have a second name, in whose place another file may be."""
    try:
        link.hardlink_to(path)
        link.replace(previous)
    except OSError:  # not all file systems have them
        path.replace(previous)


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint; a network is in evaluation mode.

    Args:
        path: the file.
        device: where a network goes; n-gram models stay on the CPU.

    Raises:
        CheckpointError: the file cannot be read, is no checkpoint, or does not hold what its header says; the message
            names the file, the key, what was expected and what was found.
    """
    header, tensors = _read(path, lambda name: not name.startswith(TRAINING))
    with _damage_is_told(path):
        model, vocabulary, facts = _checkpoint_of(header, tensors)
    if isinstance(model, torch.nn.Module):
        model.to(device).eval()
    return Checkpoint(model, vocabulary, facts, path, path.stat().st_size)


def load_ongoing(path: Path) -> Ongoing:
    """What resuming needs of a checkpoint beside its model, on the CPU.

    Raises:
        CheckpointError: see `load`; or it was saved for sampling alone.
    """
    header, tensors = _read(path, lambda name: name.startswith(TRAINING))
    if "progress" not in header:
        raise CheckpointError(f"{path}: holds a model alone; a training goes on from a file that ends with {LAST}")
    with _damage_is_told(path):
        facts: ProgressFacts = restore("header.progress", header["progress"], ProgressFacts)
    return Ongoing(facts, below(TRAINING, tensors))


def _read(path: Path, is_wanted: Callable[[str], bool]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header of a checkpoint, and its tensors that are wanted."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; name a {SUFFIX} file in it")
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file; `charrnn train TEXT` makes checkpoints")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise CheckpointError(f"{path}: is a safetensors file, but not one of charrnn")
            tensors = {name: file.get_tensor(name) for name in file.keys() if is_wanted(name)}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is no safetensors file, or a damaged one ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    with _damage_is_told(path):
        header = restore("header", json.loads(metadata[KEY]), dict[str, object])
        _expect("format", header.get("format"), FORMAT)
    return header, tensors


def _checkpoint_of(header: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Model, Vocabulary, Facts]:
    vocabulary = _vocabulary(header)
    model = _make_model(header, vocabulary, tensors)
    names = {spec.name for spec in dataclasses.fields(Facts)}
    facts: Facts = restore("header", {name: header[name] for name in names & header.keys()}, Facts)
    _expect("header.text.corpus.bytes", facts.text.corpus.bytes, vocabulary.is_bytes)
    return model, vocabulary, facts


@contextmanager
def _damage_is_told(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with what it holds."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError, CharRNNError) as error:
        raise CheckpointError(f"{path}: is damaged, or from another version: {error}") from error


def last_path(path: Path, ending: str = LAST) -> Path:
    """The file for the last state, or the one before it, of the training whose best goes to `path`."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ending + SUFFIX)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first; where a training has a best and a last one, the best alone."""
    files = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file()]
    found = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    names = {path.name for path in found}
    return [path for path in found if not _has_better(path, names)]


def newest(folder: Path) -> Path:
    """The newest checkpoint of a folder.

    Raises:
        CheckpointError: there is none.
    """
    found = checkpoints_in(folder)
    if not found:
        raise CheckpointError(
            f"there is no checkpoint in {folder}{os.sep}; make one with `charrnn train shakespeare.txt`"
        )
    return found[0]


def _has_better(path: Path, names: set[str]) -> bool:
    stem = path.name.removesuffix(SUFFIX)
    return any(stem.endswith(end) and stem.removesuffix(end) + SUFFIX in names for end in (LAST, PREVIOUS))


def _kind_of(model: Model) -> str:
    if isinstance(model, MixtureModel):
        return "mixture"
    return "recurrent" if isinstance(model, Network) else "ngram"


def _config_of(model: Model) -> ModelConfig | NgramConfig | MixtureConfig:
    if isinstance(model, MixtureModel):
        network, counts = parts(model)
        return MixtureConfig(network.config, counts.config)
    return model.config


def _tensors_of(model: Model) -> dict[str, Tensor]:
    if isinstance(model, MixtureModel):
        counted = {f"{COUNTS}{name}": tensor for name, tensor in parts(model)[1].tensors().items()}
        return {**model.state_dict(), **counted}
    return model.state_dict() if isinstance(model, Network) else model.tensors()


def parts(model: MixtureModel) -> tuple[Network, NgramModel]:
    """The two models of a mixture."""
    assert isinstance(model.counts, NgramModel)
    return model.network, model.counts


def _vocabulary(header: dict[str, Any]) -> Vocabulary:
    characters: str | None = restore("vocabulary", header.get("vocabulary", ""), str | None)
    if characters is not None:
        different = set(characters) - set(map(chr, range(0xD800, 0xE000)))  # half of a surrogate pair is none
        if not characters or len(different) < len(characters):
            raise ValueError("vocabulary: expected characters, all different, found none, a double one or half of one")
    return Vocabulary(characters)


def _make_model(header: dict[str, Any], vocabulary: Vocabulary, tensors: dict[str, Tensor]) -> Model:
    kind, size = header.get("kind"), len(vocabulary)
    if kind == "ngram":
        counted: NgramConfig = restore("model", header.get("model"), NgramConfig)
        counting = LongestMatchModel if counted.smoothing == "longest" else NgramModel
        return counting.from_tensors(counted, size, tensors)
    if kind == "mixture":
        both: MixtureConfig = restore("model", header.get("model"), MixtureConfig)
        of = {prefix: below(prefix, tensors) for prefix in (NETWORK, COUNTS, GATE)}
        _expect("tensors", len(tensors), sum(len(part) for part in of.values()))
        network = _network(both.network, size, of[NETWORK], NETWORK)
        counts = NgramModel.from_tensors(both.counts, size, of[COUNTS])
        with torch.device("meta"):
            model = MixtureModel(network, counts)
        fill(model.gate, of[GATE], GATE)
        return model
    _expect("kind", kind, "recurrent")
    config: ModelConfig = restore("model", header.get("model"), ModelConfig)
    return _network(config, size, tensors)


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without it."""
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


def _network(config: ModelConfig, vocab_size: int, tensors: dict[str, Tensor], prefix: str = "") -> Network:
    layers = config.num_layers * config.networks
    if layers > len(tensors):  # each layer has some; a million of them would take long to make
        raise ValueError(f"model.num_layers: expected at most {len(tensors)} in all, found {layers}")
    with torch.device("meta"):
        model = make_network(config, vocab_size)
    fill(model, tensors, prefix)
    return model


def fill(model: torch.nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Give a module its weights, which then share memory with the tensors.

    Raises:
        ValueError: a tensor is missing, too many, of another shape or not finite; the message names it.
    """
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in model.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        _expect(prefix + name, found.get(name), expected.get(name))
        if not tensors[name].isfinite().all():
            raise ValueError(f"{prefix}{name}: expected finite numbers, found others")
    model.load_state_dict(tensors, assign=True)


def _expect(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"{key}: expected {expected}, found {found}")
