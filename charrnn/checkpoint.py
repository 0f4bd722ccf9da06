"""Checkpoints: one safetensors file that is enough to sample, score and compare. It alone knows every kind of model.

The weights are the file's tensors. One JSON string in its metadata, under the key "charrnn", holds the rest: see Facts.
There is no pickle: a checkpoint from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import tempfile
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
        header = json.loads(metadata[KEY])
        _expect("format", header.get("format"), FORMAT)
        vocabulary = Vocabulary(header["vocabulary"])
        model = _make_model(header, vocabulary, tensors)
        names = {spec.name for spec in dataclasses.fields(Facts)}
        facts = _facts({name: value for name, value in header.items() if name in names})
    except (KeyError, TypeError, ValueError, AttributeError, CharRNNError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise CheckpointError(f"{path}: is damaged, or from another version: {what}") from error
    if isinstance(model, RecurrentModel):
        model.to(device).eval()
    return Checkpoint(model, vocabulary, facts, path, path.stat().st_size)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first; where a training has a best and a last one, the best alone."""
    found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
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


def _make_model(
    header: dict[str, Any], vocabulary: Vocabulary, tensors: dict[str, Tensor]
) -> RecurrentModel | NgramModel:
    if header["kind"] == "ngram":
        config = NgramConfig(**header["model"])
        return NgramModel.from_tensors(config, len(vocabulary), tensors)
    _expect("kind", header["kind"], "recurrent")
    with torch.device("meta"):
        model = RecurrentModel(ModelConfig(**header["model"]), len(vocabulary))
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in expected.keys() | found.keys():
        _expect(name, found.get(name), expected.get(name))
    model.load_state_dict(tensors, assign=True)
    return model


def _facts(values: dict[str, Any]) -> Facts:
    text, score, training = values["text"], values["validation"], values["training"]
    return Facts(
        **{
            **values,
            "text": TextFacts(**{**text, "corpus": CorpusConfig(**text["corpus"])}),
            "validation": ScoreFacts(**score) if score else None,
            "training": TrainingConfig(**training) if training else None,
            "command": tuple(values["command"]),
        }
    )


def _expect(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"{key}: expected {expected}, found {found}")
