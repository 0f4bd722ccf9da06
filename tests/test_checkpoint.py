"""Checkpoints: saving and loading round-trips, writes are atomic, and invalid files give a clear one-line error."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from charrnn.checkpoint import HEADER_KEY, Model, list_checkpoints, load, newest_checkpoint, save
from charrnn.checkpoint.metadata import DatasetInfo, EvalResult, Metadata
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.errors import CheckpointError
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.vocabulary import Vocabulary

TEXT = "to be or not to be, that is the question\n" * 10
VOCABULARY = Vocabulary(sorted(set(TEXT)))
FACTS = Metadata(
    text=DatasetInfo("folder/text é.txt", "ab" * 32, len(TEXT), CorpusConfig(val_fraction=0.2)),
    fit_seconds=1.5,
    device="cpu",
    validation=EvalResult(2.0, 1.386, 41, 0.0, "80/20/0"),
    training=TrainingConfig(steps=7, learning_rate=1.0),
    step=7,
    command=("charrnn", "train", "text é.txt"),
)

Header = dict[str, Any]
Tensors = dict[str, Tensor]


def _network() -> RecurrentModel:
    torch.manual_seed(0)
    return RecurrentModel(ModelConfig(hidden_size=8, num_layers=2), len(VOCABULARY)).eval()


def _ngram() -> Model:
    return fit_ngram(VOCABULARY.encode(TEXT), len(VOCABULARY), NgramConfig(order=3))


MODELS: dict[str, Callable[[], Model]] = {"recurrent": _network, "ngram": _ngram}


@pytest.mark.parametrize("kind", MODELS)
def test_saved_model_loads_with_identical_logits(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "new" / "folder" / "it.safetensors"
    model = MODELS[kind]()
    save(path, model, VOCABULARY, FACTS)
    loaded = load(path)
    tokens = torch.from_numpy(VOCABULARY.encode(TEXT[:50]))[None]
    with torch.inference_mode():
        assert loaded.model(tokens)[0].equal(model(tokens)[0])
    assert loaded.model.config == model.config
    assert loaded.vocabulary == VOCABULARY
    assert loaded.metadata == FACTS
    assert (loaded.kind, loaded.name, loaded.size) == (kind, "it", path.stat().st_size)
    assert not isinstance(loaded.model, RecurrentModel) or not loaded.model.training


def test_bytes_model_without_training_metadata_loads(tmp_path: Path) -> None:
    model = fit_ngram(np.arange(256), 256, NgramConfig(order=2))
    text = replace(FACTS.text, corpus=CorpusConfig(bytes=True))
    facts = Metadata(text, 0.0, "cpu")
    save(tmp_path / "it.safetensors", model, Vocabulary(None), facts)
    loaded = load(tmp_path / "it.safetensors")
    assert loaded.vocabulary.is_bytes
    assert loaded.metadata == facts


def test_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it.safetensors"
    save(path, _ngram(), VOCABULARY, FACTS)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        assert path.read_bytes() == before
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match=r"it\.safetensors: cannot be written: No space left .* --out"):
        save(path, _network(), VOCABULARY, FACTS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saved_file_has_permissions_by_umask(tmp_path: Path) -> None:
    path, before = tmp_path / "it.safetensors", os.umask(0o022)
    try:
        save(path, _ngram(), VOCABULARY, FACTS)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_newest_prefers_best_state_over_last_state(tmp_path: Path) -> None:
    for age, name in enumerate(["a", "b-last", "b", "c-last"]):
        path = tmp_path / f"{name}.safetensors"
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "gone.safetensors").symlink_to("nowhere")
    assert [path.stem for path in list_checkpoints(tmp_path)] == ["a", "b", "c-last"]
    assert newest_checkpoint(tmp_path).stem == "a"
    with pytest.raises(CheckpointError, match=r"none/: contains no checkpoint; create one with `charrnn train"):
        newest_checkpoint(tmp_path / "none")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda good: b"", "is truncated: expected at least 8 bytes, found 0"),
        (lambda good: good[:5], "is truncated: .*, found 5"),
        (
            lambda good: good[:200],
            r"is truncated: expected at least \d,\d+ bytes, found 200; copy or make the file again",
        ),
        (lambda good: good[:-4], r"is truncated: expected \d,\d+ bytes, found \d,\d+; copy or make the file again"),
        (lambda good: good + b"more", "not a safetensors file, or damaged"),
        (
            lambda good: b"To be, or not to be\n" * 9,
            "not a safetensors file; use a checkpoint",
        ),
        (lambda good: bytes(100), "not a safetensors file, or damaged"),
    ],
)
def test_load_damaged_file_raises_checkpoint_error(
    tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "it.safetensors"
    save(path, _ngram(), VOCABULARY, FACTS)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_load_file_of_another_program_names_its_format(tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    with pytest.raises(CheckpointError, match="not found; `charrnn train TEXT` creates a checkpoint"):
        load(path)
    with pytest.raises(CheckpointError, match=r"is a folder; use a \.safetensors file in it"):
        load(tmp_path)
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="expected a safetensors file, found a PyTorch file"):
        load(path)
    save_file({"a": torch.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="is a safetensors file, but not a checkpoint of charrnn"):
        load(path)


def _load_changed(path: Path, kind: str, change: Callable[[Header, Tensors], object]) -> None:
    """Save a model, change the header or the tensors, and load it."""
    save(path, MODELS[kind](), VOCABULARY, FACTS)
    with safe_open(path, framework="pt") as file:
        header: Header = json.loads(file.metadata()[HEADER_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, tensors)
    save_file(tensors, path, metadata={HEADER_KEY: json.dumps(header)})
    load(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("format", 0, "format: expected 1, found 0"),
        ("kind", "oracle", "kind: expected recurrent, found oracle"),
        ("kind", ["ngram"], "kind: expected recurrent"),
        ("vocabulary", 5, "vocabulary: expected str, found 5"),
        ("vocabulary", "", "vocabulary: expected distinct characters"),
        ("vocabulary", "aa" * 8, "vocabulary: expected distinct characters"),
        ("vocabulary", "\ud800abc", "vocabulary: expected distinct characters, found .* surrogates"),
        ("vocabulary", "abc", r"embedding.weight: expected float32 of shape \(3, 8\)"),
        ("vocabulary", None, r"embedding.weight: expected float32 of shape \(256, 8\)"),
        ("model", None, "model: expected ModelConfig, found None"),
        ("model.hidden_size", "wide", "model.hidden_size: expected int, found 'wide'"),
        ("model.hidden_size", 8.0, "model.hidden_size: expected int, found 8.0"),
        ("model.hidden_size", 0, "--hidden 0: must be 1 or more"),
        ("model.num_layers", 900, r"model.num_layers: expected at most \d+ in all, found 900"),
        ("model.networks", 50, r"model.num_layers: expected at most \d+ in all, found 100"),
        ("model.networks", 2, "networks.0.embedding.weight: expected .*, found none"),
        ("model.num_layers", 1, "cells.1.* expected none, found"),
        ("model.cell", "brain", "--cell brain: must be one of"),
        ("model.residual", "yes", "model.residual: expected bool, found 'yes'"),
        ("model.wings", 2, "wings"),
        ("text", [], r"header.text: expected DatasetInfo, found \[\]"),
        ("text.path", None, "header.text.path: expected str, found None"),
        ("text.paths", "a.txt", "header.text.paths: expected tuple, found 'a.txt'"),
        ("text.corpus.normalize", "NFX", "--normalize NFX: must be one of"),
        ("text.corpus.document_separator", "", "--document-separator '': must not be empty"),
        ("unknown", 5, "unknown: expected str, found 5"),
        ("unknown", "\ufffd", "the unknown symbol must be one of the characters"),
        ("text.corpus.val_fraction", 7, "--val-fraction 7: must be"),
        ("text.corpus.bytes", True, "header.text.corpus.bytes: expected True, found False|expected False, found True"),
        ("fit_seconds", float("nan"), "header.fit_seconds: expected float, found nan"),
        ("fit_seconds", 10**400, "int too large to convert to float"),
        ("fit_seconds", "long", "header.fit_seconds: expected float, found 'long'"),
        ("validation.bits_per_char", "good", "header.validation.bits_per_char: expected float, found 'good'"),
        ("training.steps", True, "header.training.steps: expected int, found True"),
        ("step", 1.5, "header.step: expected int, found 1.5"),
        ("command", "charrnn", "header.command: expected tuple, found 'charrnn'"),
        ("versions", {"torch": 2}, "header.versions.torch: expected str, found 2"),
    ],
)
def test_load_invalid_header_names_key_expected_and_found(
    tmp_path: Path, keys: str, value: object, message: str
) -> None:
    """Many of these were once accepted, and later caused a traceback, or a NaN in `compare --json`."""

    def change(header: Header, tensors: Tensors) -> None:
        *folders, last = keys.split(".")
        for name in folders:
            header = header[name]
        header[last] = value

    with pytest.raises(CheckpointError, match=f"it.safetensors: is damaged, or from another version: .*{message}"):
        _load_changed(tmp_path / "it.safetensors", "recurrent", change)


def test_load_old_header_without_paths_has_defaults(tmp_path: Path) -> None:
    def change(header: Header, tensors: Tensors) -> None:
        header["text"].pop("paths")
        for name in ("normalize", "lower", "min_count", "document_separator"):
            header["text"]["corpus"].pop(name)

    _load_changed(tmp_path / "it.safetensors", "ngram", change)
    facts = load(tmp_path / "it.safetensors").metadata
    assert (facts.text, facts.text.names) == (FACTS.text, ("folder/text é.txt",))


def test_unknown_symbol_survives_save_and_load(tmp_path: Path) -> None:
    vocabulary = Vocabulary(VOCABULARY.characters, " ")
    facts = replace(FACTS, text=replace(FACTS.text, paths=("a.txt", "-")))
    save(tmp_path / "it.safetensors", _network(), vocabulary, facts)
    loaded = load(tmp_path / "it.safetensors")
    assert (loaded.vocabulary, loaded.metadata.text.names) == (vocabulary, ("a.txt", "-"))


@pytest.mark.parametrize("key", ["format", "kind", "model", "vocabulary", "text", "fit_seconds", "device"])
@pytest.mark.parametrize("kind", MODELS)
def test_load_header_without_a_key_names_the_key(tmp_path: Path, kind: str, key: str) -> None:
    with pytest.raises(CheckpointError, match=f"is damaged, or from another version: .*{key}"):
        _load_changed(tmp_path / "it.safetensors", kind, lambda header, tensors: header.pop(key))


@pytest.mark.parametrize("header", ["", "{", "[]", "null", "[" * 100_000, '{"format": 1}'])
def test_load_malformed_header_raises_checkpoint_error(tmp_path: Path, header: str) -> None:
    """100,000 brackets once caused a RecursionError."""
    path = tmp_path / "it.safetensors"
    save_file({"a": torch.zeros(3)}, path, metadata={HEADER_KEY: header})
    with pytest.raises(CheckpointError, match="is damaged, or from another version"):
        load(path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("head.weight", None, "head.weight: expected .*, found none"),
        ("head.weight", torch.zeros(2, 2), r"head.weight: expected float32 of shape \(\d+, 8\), found .* \(2, 2\)"),
        ("head.bias", torch.zeros(len(VOCABULARY), dtype=torch.int64), "head.bias: expected .*float32.*found .*int64"),
        ("head.bias", torch.full((len(VOCABULARY),), torch.nan), "head.bias: expected finite numbers"),
        ("tail.weight", torch.zeros(2), "tail.weight: expected none, found"),
    ],
)
def test_load_wrong_network_tensors_names_the_tensor(
    tmp_path: Path, name: str, tensor: Tensor | None, message: str
) -> None:
    """Integers and NaN once caused a traceback: when the model was built, and when it sampled."""

    def change(header: Header, tensors: Tensors) -> None:
        tensors.pop(name, None)
        if tensor is not None:
            tensors[name] = tensor

    with pytest.raises(CheckpointError, match=message):
        _load_changed(tmp_path / "it.safetensors", "recurrent", change)


def _set(place: int, value: float) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        wide = tensor.to(torch.float32 if tensor.is_floating_point() else torch.int64)
        wide[place] = value
        return wide

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("2.tokens", None, "2.tokens is missing"),
        ("2.tokens", lambda tensor: tensor[:-1], "2.weights: expected"),
        ("2.tokens", lambda tensor: tensor[None], "2.tokens: expected integers in 1 dimension"),
        ("2.tokens", lambda tensor: tensor.float(), "2.tokens: expected integers in 1 dimension, found float32"),
        ("2.tokens", _set(1, -1), "2.tokens: expected numbers from 0 to"),
        ("2.tokens", _set(1, 10**6), "2.tokens: expected numbers from 0 to"),
        ("2.starts", lambda tensor: tensor[:-1], "2.starts: expected"),
        ("2.starts", _set(0, 1), "2.starts: expected numbers increasing from 0 to"),
        ("2.starts", _set(3, 10**9), r"2.starts: expected numbers from 0 to \d+, found 1000000000"),
        ("2.starts", _set(3, -5), r"2.starts: expected numbers from 0 to \d+, found -5"),
        ("2.starts", _set(-1, 0), "2.starts: expected numbers increasing from 0 to"),
        ("2.starts", _set(-1, 10**9), "2.starts: expected numbers from 0 to"),
        ("2.weights", lambda tensor: tensor.long(), "2.weights: expected float32 in 1 dimension, found int64"),
        ("2.weights", _set(2, torch.nan), "2.weights: expected numbers from 0 to 1, found nan"),
        ("2.weights", _set(2, -0.5), "2.weights: expected numbers from 0 to 1, found -0.5"),
        ("2.weights", lambda tensor: tensor.bfloat16(), "2.weights: expected float32 in 1 dimension, found bfloat16"),
        ("2.backoffs", _set(2, torch.inf), "2.backoffs: expected numbers from 0 to 1, found inf"),
        ("2.backoffs", lambda tensor: tensor[1:], "2.backoffs: expected"),
        ("4.tokens", lambda tensor: torch.zeros(1), "expected the tensors of 3 orders, found 13"),
    ],
)
def test_load_wrong_ngram_tensors_names_the_tensor(
    tmp_path: Path, name: str, change: Callable[[Tensor], Tensor] | None, message: str
) -> None:
    """Out-of-range values once caused an IndexError when the model was used."""

    def apply(header: Header, tensors: Tensors) -> None:
        tensor = tensors.pop(name, torch.zeros(1))
        if change:
            tensors[name] = change(tensor).contiguous()

    with pytest.raises(CheckpointError, match=message):
        _load_changed(tmp_path / "it.safetensors", "ngram", apply)


def test_load_ngrams_beyond_the_vocabulary_raises_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"1\.tokens: expected numbers from 0 to 2, found 15"):
        _load_changed(tmp_path / "it.safetensors", "ngram", lambda header, tensors: header.update(vocabulary="ab"))
