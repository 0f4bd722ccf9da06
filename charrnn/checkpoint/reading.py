"""A checkpoint from the disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from charrnn.checkpoint.contents import FORMAT, KEY, TRAINING, Checkpoint, Model, Ongoing, below
from charrnn.checkpoint.making import expect, make_model, make_vocabulary
from charrnn.checkpoint.names import LAST, SUFFIX
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.facts import Facts, ProgressFacts, restore
from charrnn.text.vocabulary import Vocabulary


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
        expect("format", header.get("format"), FORMAT)
    return header, tensors


def _checkpoint_of(header: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Model, Vocabulary, Facts]:
    vocabulary = make_vocabulary(header)
    model = make_model(header, len(vocabulary), tensors)
    names = {spec.name for spec in dataclasses.fields(Facts)}
    facts: Facts = restore("header", {name: header[name] for name in names & header.keys()}, Facts)
    expect("header.text.corpus.bytes", facts.text.corpus.bytes, vocabulary.is_bytes)
    return model, vocabulary, facts


@contextmanager
def _damage_is_told(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with what it holds."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError, CharRNNError) as error:
        raise CheckpointError(f"{path}: is damaged, or from another version: {error}") from error
