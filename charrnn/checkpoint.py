"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows every kind of model.

The weights are the file's tensors. One JSON string in its metadata, under the key "charrnn", holds the rest: see Facts.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import tempfile
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from charrnn import __version__
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.recurrent import RecurrentModel
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary

FORMAT = 1
KEY = "charrnn"
SUFFIX = ".safetensors"
LAST = "-last"
"""Ends the name of the state that a training stopped in, which may not be its best."""

T = TypeVar("T")


@dataclass(frozen=True)
class TextFacts:
    """Which text a model was fitted on, and how it was read.

    Attributes:
        path: as it was given on the command line.
        sha256: of the file's bytes.
        characters: how many there are.
        corpus: encoding and split.
    """

    path: str
    sha256: str
    characters: int
    corpus: CorpusConfig

    @classmethod
    def of(cls, corpus: Corpus) -> TextFacts:
        """Those of a text that was read."""
        return cls(str(corpus.path), corpus.sha256, len(corpus), corpus.config)


@dataclass(frozen=True)
class ScoreFacts:
    """The score of the validation part when the checkpoint was made. Infinite scores are None.

    Attributes:
        bits_per_char: the unit of quality.
        nats_per_char: the same in nats.
        characters: how many were scored.
        impossible_share: the share that had probability 0.
        split: such as 90/10/0.
        rule: how it was scored.
    """

    bits_per_char: float | None
    nats_per_char: float | None
    characters: int
    impossible_share: float
    split: str
    rule: str = "static, full"


@dataclass(frozen=True)
class Facts:
    """What is known of how a model came to be.

    Attributes:
        text: the text it was fitted on.
        fit_seconds: how long that took, validations included.
        device: where.
        validation: its score, if it was scored.
        training: settings, for a network.
        step: how many steps were taken, for a network.
        command: the command line.
        versions: of charrnn, torch and Python.
    """

    text: TextFacts
    fit_seconds: float
    device: str
    validation: ScoreFacts | None = None
    training: TrainingConfig | None = None
    step: int | None = None
    command: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=lambda: versions())


@dataclass(frozen=True)
class Checkpoint:
    """A model with its vocabulary and history; `path` and `size` (bytes) are those of its file."""

    model: RecurrentModel | NgramModel
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
        """`recurrent` or `ngram`."""
        return _kind_of(self.model)

    @property
    def description(self) -> str:
        """The model in a few words, such as `lstm 2x256`."""
        config = self.model.config
        if isinstance(config, NgramConfig):
            return f"{config.smoothing} order {config.order}"
        return f"{config.cell} {config.num_layers}x{config.hidden_size}"


def versions() -> dict[str, str]:
    """Of what a result may depend on."""
    return {"charrnn": __version__, "torch": torch.__version__, "python": platform.python_version()}


def save(path: Path, model: RecurrentModel | NgramModel, vocabulary: Vocabulary, facts: Facts) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    tensors = model.tensors() if isinstance(model, NgramModel) else model.state_dict()
    header = {
        "format": FORMAT,
        "kind": _kind_of(model),
        "model": dataclasses.asdict(model.config),
        "vocabulary": None if vocabulary.is_bytes else "".join(vocabulary.characters or ()),
        **dataclasses.asdict(facts),
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
            part.replace(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CheckpointError(f"{path}: cannot be written: {reason}; say another place with --out") from error


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint; a network is in evaluation mode.

    Args:
        path: the file.
        device: where a network goes; n-gram models stay on the CPU.

    Raises:
        CheckpointError: the file cannot be read, is no checkpoint, or does not hold what its header says; the message
            names the file, the key, what was expected and what was found.
    """
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; name a {SUFFIX} file in it")
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file; `charrnn train TEXT` makes checkpoints")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise CheckpointError(f"{path}: is a safetensors file, but not one of charrnn")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is no safetensors file, or a damaged one ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        header = _restore("header", json.loads(metadata[KEY]), dict[str, object])
        _expect("format", header.get("format"), FORMAT)
        vocabulary = _vocabulary(header)
        model = _make_model(header, vocabulary, tensors)
        names = {spec.name for spec in dataclasses.fields(Facts)}
        facts: Facts = _restore("header", {name: header[name] for name in names & header.keys()}, Facts)
        _expect("header.text.corpus.bytes", facts.text.corpus.bytes, vocabulary.is_bytes)
    except (ValueError, TypeError, OverflowError, RecursionError, CharRNNError) as error:
        raise CheckpointError(f"{path}: is damaged, or from another version: {error}") from error
    if isinstance(model, RecurrentModel):
        model.to(device).eval()
    return Checkpoint(model, vocabulary, facts, path, path.stat().st_size)


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
    return stem.endswith(LAST) and stem.removesuffix(LAST) + SUFFIX in names


def _kind_of(model: LanguageModel) -> str:
    return "ngram" if isinstance(model, NgramModel) else "recurrent"


def _vocabulary(header: dict[str, Any]) -> Vocabulary:
    characters: str | None = _restore("vocabulary", header.get("vocabulary", ""), str | None)
    if characters is not None:
        different = set(characters) - set(map(chr, range(0xD800, 0xE000)))  # half of a surrogate pair is none
        if not characters or len(different) < len(characters):
            raise ValueError("vocabulary: expected characters, all different, found none, a double one or half of one")
    return Vocabulary(characters)


def _make_model(
    header: dict[str, Any], vocabulary: Vocabulary, tensors: dict[str, Tensor]
) -> RecurrentModel | NgramModel:
    if header.get("kind") == "ngram":
        counted: NgramConfig = _restore("model", header.get("model"), NgramConfig)
        return NgramModel.from_tensors(counted, len(vocabulary), tensors)
    _expect("kind", header.get("kind"), "recurrent")
    config: ModelConfig = _restore("model", header.get("model"), ModelConfig)
    if config.num_layers > len(tensors):  # each layer has some; a million of them would take long to make
        raise ValueError(f"model.num_layers: expected at most {len(tensors)}, found {config.num_layers}")
    with torch.device("meta"):
        model = RecurrentModel(config, len(vocabulary))
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in model.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        _expect(name, found.get(name), expected.get(name))
        if not tensors[name].isfinite().all():
            raise ValueError(f"{name}: expected finite numbers, found others")
    model.load_state_dict(tensors, assign=True)
    return model


def _restore(key: str, value: Any, kind: Any) -> Any:
    """What `kind` says from what JSON gives: dataclasses from objects, tuples from lists; defaults may be left out.

    Raises:
        ValueError: the value is of another type; the message names the key, what was expected and what was found.
        TypeError: a dataclass lacks a field or does not have it; the message names it.
    """
    inner = typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # T | None
        return None if value is None else _restore(key, value, inner[0])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        fields = typing.get_type_hints(kind)
        return kind(**{name: _restore(f"{key}.{name}", one, fields.get(name, object)) for name, one in value.items()})
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return {name: _restore(f"{key}.{name}", one, inner[1]) for name, one in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_restore(key, one, inner[0]) for one in value)
    # JSON may write 1.0 as 1; and it has no infinite numbers, so none may come out of it.
    is_real = kind is float and type(value) in (int, float) and math.isfinite(value)
    if is_real or kind is object or (type(value) is kind and kind is not float):
        return value
    raise ValueError(f"{key}: expected {getattr(kind, '__name__', kind)}, found {value!r:.50}")


def _expect(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"{key}: expected {expected}, found {found}")
