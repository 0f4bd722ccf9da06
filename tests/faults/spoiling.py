"""Checkpoints of all kinds, and ways to damage their headers and tensors."""

import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as tensors_in
from safetensors.torch import save as as_file
from torch import Tensor

from charrnn.checkpoint import HEADER_KEY, last_path, load, save
from charrnn.checkpoint.container import CHECKSUM, metadata_of, tensor_checksums
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.errors import CheckpointError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.ensemble import train_ensemble
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager

TEXT = "to be or not to be, that is the question\n" * 12
VOCABULARY = Vocabulary(sorted(set(TEXT)))
SHAPE = ModelConfig(hidden_size=4, num_layers=1)
QUICK = TrainingConfig(steps=6, seq_length=8, batch_size=2, warmup_steps=5, validate_every=4)
Edit = Callable[[dict[str, Any], dict[str, Tensor]], object]
"""A function that changes the header or the tensors."""
SMOOTHINGS = ("mkn", "tuned", "stupid", "ml", "longest")


@dataclass
class Parts:
    """A safetensors file in parts: its table of tensors, with the metadata, and their bytes."""

    table: dict[str, Any]
    data: bytearray

    @classmethod
    def of(cls, file: bytes) -> "Parts":
        length = int.from_bytes(file[:8], "little")
        return cls(json.loads(file[8 : 8 + length]), bytearray(file[8 + length :]))

    @property
    def header(self) -> dict[str, Any]:
        actual: dict[str, Any] = json.loads(self.table["__metadata__"][HEADER_KEY])
        return actual

    @header.setter
    def header(self, header: object) -> None:
        self.table["__metadata__"][HEADER_KEY] = json.dumps(header)

    @property
    def names(self) -> list[str]:
        return sorted(self.table.keys() - {"__metadata__"})

    def together(self, is_aligned: bool = False) -> bytes:
        """Return the file; numbers are aligned, as the library writes them, or wherever they happen to be."""
        table = json.dumps(self.table).encode()
        if is_aligned:
            table += b" " * (-len(table) % 8)
        return len(table).to_bytes(8, "little") + table + bytes(self.data)

    def forged(self) -> bytes:
        """Return the file with matching checksums, as an attacker can compute them."""
        header = self.header
        if isinstance(header, dict):
            try:
                tensors = tensors_in(self.together())
                header[CHECKSUM] = tensor_checksums(header["kind"], tensors)
            except Exception:  # the library refuses it, and so will charrnn
                header.pop(CHECKSUM, None)
        self.table["__metadata__"] = metadata_of(json.dumps(header))
        return self.together(is_aligned=True)


@functools.cache
def whole_files() -> dict[str, bytes]:
    """Small checkpoints by kind; `last` can be resumed with `corpus_in`."""
    with tempfile.TemporaryDirectory() as folder:
        return _make_files(Path(folder))


def _make_files(folder: Path) -> dict[str, bytes]:
    torch.manual_seed(0)
    corpus = corpus_in(folder)
    size = len(VOCABULARY)
    facts = Metadata(DatasetInfo("text.txt", corpus.sha256, len(TEXT), CorpusConfig()), 1.0, "cpu")
    network = RecurrentModel(SHAPE, size)
    models: dict[str, Any] = {name: fit_ngram(corpus.train.ids, size, _ngram(name)) for name in SMOOTHINGS}
    models["mixture"] = MixtureModel(network, [_counted(models["mkn"])])
    models["several"] = InterpolatedModel([RecurrentModel(SHAPE, size), network])
    models["mingru"] = RecurrentModel(ModelConfig(cell="mingru", hidden_size=4, num_layers=2, embedding_size=3), size)
    files = {}
    for name, model in models.items():
        save(folder / f"{name}.safetensors", model, VOCABULARY, facts)
        files[name] = (folder / f"{name}.safetensors").read_bytes()
    checkpoints = CheckpointManager(
        folder / "it.safetensors", Run(corpus, ModelConfig(hidden_size=4, networks=2), QUICK)
    )
    for _ in train_ensemble(checkpoints):
        pass
    files["last"] = last_path(checkpoints.path).read_bytes()
    return files


def corpus_in(folder: Path) -> Corpus:
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return read_corpus(path, CorpusConfig())


def _ngram(smoothing: str) -> NgramConfig:
    return NgramConfig(order=None if smoothing == "longest" else 3, smoothing=smoothing)


def _counted(model: object) -> NgramModel:
    assert isinstance(model, NgramModel)
    return model


def refusal(path: Path, read: Callable[[Path], object] = load) -> str:
    """Return the error for opening a file, without the file's name."""
    with pytest.raises(CheckpointError) as caught:
        read(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def changed(file: bytes, edit: Edit) -> bytes:
    """Write the file with another header or other tensors, and matching checksums."""
    header, tensors = Parts.of(file).header, tensors_in(file)
    edit(header, tensors)
    header[CHECKSUM] = tensor_checksums(header.get("kind", ""), tensors)
    return as_file(tensors, metadata_of(json.dumps(header)))


def set_to(keys: str, value: object) -> Edit:
    """Set a value in the header."""

    def edit(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        *folders, last = keys.split(".")
        for name in folders:
            header = header[name]
        header[last] = value

    return edit


def put(name: str, make: Callable[[Tensor], Tensor] | None) -> Edit:
    """Replace a tensor, or remove it."""

    def edit(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        old = tensors.pop(name)
        if make:
            tensors[name] = make(old.clone())

    return edit


def at(place: object, value: float) -> Callable[[Tensor], Tensor]:
    """Set one number of a tensor."""

    def make(tensor: Tensor) -> Tensor:
        tensor[place] = value  # type: ignore[index]
        return tensor

    return make
