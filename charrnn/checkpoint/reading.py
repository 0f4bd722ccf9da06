"""A checkpoint from the disk, from whomever: wrong, perhaps, but then it is one line and not a crash.

What is detected: a file that is none, or cut off; a header that is no JSON, lacks something, or says what its tensors
do not; by checksums, every flipped bit in the header, in a network, and in what resuming needs. What is not: a flipped
bit in the numbers of an n-gram model, as long as they are probabilities and lead nowhere outside; and in a file from
before there were checksums, one that leaves its number finite.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charrnn.checkpoint import files
from charrnn.checkpoint.build import expect, make_model, make_vocabulary
from charrnn.checkpoint.checksums import check_header, check_tensors
from charrnn.checkpoint.format import FORMAT, KEY, TRAINING, Checkpoint, Ongoing, below
from charrnn.checkpoint.metadata import Facts, ProgressFacts, restore
from charrnn.checkpoint.names import LAST
from charrnn.errors import CharRNNError, CheckpointError

LONGEST_MESSAGE = 300
"""Characters of what is said of a damage: what was found may be as long as the file."""


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint; a network is in evaluation mode.

    Args:
        path: the file.
        device: where a network goes; n-gram models stay on the CPU.

    Raises:
        CheckpointError: the file cannot be read, is no checkpoint, or does not hold what its header says; the message
            names the file, the key, what was expected and what was found.
    """
    size, header, tensors = _read(path, _is_of_model)
    with _damage_is_told(path):
        vocabulary = make_vocabulary(header)
        model = make_model(header, len(vocabulary), tensors)
        check_tensors(header, tensors, _is_of_model)
        names = {spec.name for spec in dataclasses.fields(Facts)}
        facts: Facts = restore("header", {name: header[name] for name in names & header.keys()}, Facts)
        expect("header.text.corpus.bytes", facts.text.corpus.bytes, vocabulary.is_bytes)
    if isinstance(model, torch.nn.Module):
        model.to(device).eval()
    return Checkpoint(model, vocabulary, facts, path, size)


def load_ongoing(path: Path) -> Ongoing:
    """What resuming needs of a checkpoint beside its model, on the CPU.

    Raises:
        CheckpointError: see `load`; or it was saved for sampling alone.
    """
    _, header, tensors = _read(path, _is_of_training)
    if "progress" not in header:
        raise CheckpointError(f"{path}: holds a model alone; a training goes on from a file that ends with {LAST}")
    with _damage_is_told(path):
        check_tensors(header, tensors, _is_of_training)
        facts: ProgressFacts = restore("header.progress", header["progress"], ProgressFacts)
        facts.check()
    return Ongoing(facts, below(TRAINING, tensors))


def _is_of_training(name: str) -> bool:
    return name.startswith(TRAINING)


def _is_of_model(name: str) -> bool:
    return not _is_of_training(name)


def _read(path: Path, is_wanted: Callable[[str], bool]) -> tuple[int, dict[str, Any], dict[str, Tensor]]:
    """The bytes of a file, its header, and its tensors that are wanted."""
    size, metadata, tensors = files.read(path, is_wanted)
    if KEY not in metadata:
        raise CheckpointError(f"{path}: is a safetensors file, but not one of charrnn")
    with _damage_is_told(path):
        try:
            read = json.loads(metadata[KEY])
        except ValueError as error:
            raise ValueError(f"header: expected JSON, found {metadata[KEY]!r:.50}: {error}") from None
        header = restore("header", read, dict[str, object])
        found = header.get("format")
    if type(found) is int and found > FORMAT:
        raise CheckpointError(
            f"{path}: format: expected {FORMAT}, found {found!r:.50}: a newer charrnn made it; upgrade yours to open it"
        )
    with _damage_is_told(path):
        expect("format", found, FORMAT)
        check_header(metadata)
    return size, header, tensors


@contextmanager
def _damage_is_told(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with what it holds."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError, CharRNNError) as error:
        line = " ".join(str(error).split())
        shown = line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}…"
        raise CheckpointError(f"{path}: is damaged, or from another version: {shown}") from error
