"""Finding, saving and loading checkpoints. Files are written atomically, and checked completely when read.

Detected are other or truncated files; headers that are not JSON, lack a key, or do not match the tensors; and, by
checksums, every flipped bit in the header, in a network, and in the data for resuming. Not detected are flipped bits in
the numbers of an n-gram model, as long as these are probabilities and indices in range; and, in files from before
checksums were introduced, flipped bits that leave a number finite.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from charrnn.checkpoint.build import make_model, make_vocabulary, require_equal
from charrnn.checkpoint.container import (
    CHECKSUM,
    MAX_HEADER_BYTES,
    check_header,
    check_tensors,
    metadata_of,
    read_container,
    tensor_checksums,
)
from charrnn.checkpoint.format import (
    FORMAT_VERSION,
    HEADER_KEY,
    TRAINING,
    Checkpoint,
    Model,
    ResumeState,
    config_of,
    kind_of,
    tensors_of,
    with_prefix,
)
from charrnn.checkpoint.metadata import Metadata, TrainingProgress, from_json
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.files import atomic_write
from charrnn.models.mixture import MixtureModel
from charrnn.paths import CHECKPOINT_SUFFIX
from charrnn.text.vocabulary import Vocabulary

LAST, PREVIOUS = "-last", "-previous"
"""The suffixes for the latest state of a training run (not necessarily the best), and for the state before it."""


def last_path(path: Path, ending: str = LAST) -> Path:
    """Return the file for the latest or previous state of the training run whose best state is `path`."""
    return path.with_name(path.name.removesuffix(CHECKPOINT_SUFFIX) + ending + CHECKPOINT_SUFFIX)


def best_path(path: Path) -> Path:
    """Return the file for the best state of the training run whose best, latest or previous state is `path`."""
    stem = path.name.removesuffix(CHECKPOINT_SUFFIX).removesuffix(LAST).removesuffix(PREVIOUS)
    return path.with_name(stem + CHECKPOINT_SUFFIX)


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, newest first; of each training run, the best state if there is one."""
    files = [path for path in folder.glob(f"*{CHECKPOINT_SUFFIX}") if path.is_file()]
    files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    latest = {last_path(path, ending) for path in files for ending in (LAST, PREVIOUS)}
    return [path for path in files if path not in latest]


def newest_checkpoint(folder: Path) -> Path:
    """Return the newest checkpoint of a folder; CheckpointError if there is none."""
    paths = list_checkpoints(folder)
    if not paths:
        raise CheckpointError(
            f"{folder}{os.sep}: contains no checkpoint; create one with `charrnn train shakespeare.txt`"
        )
    return paths[0]


def save(
    path: Path,
    model: Model,
    vocabulary: Vocabulary,
    metadata: Metadata,
    resume_state: ResumeState | None = None,
    previous: Path | None = None,
) -> None:
    """Write a checkpoint atomically. A file that is replaced is kept as `previous`, if given.

    Raises:
        CheckpointError: the file cannot be written.
    """
    tensors = tensors_of(model, resume_state)
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    kind = kind_of(model)
    header = json.dumps(
        {
            "format": FORMAT_VERSION,
            "kind": "mixture" if isinstance(model, MixtureModel) else kind,
            "model": dataclasses.asdict(config_of(model)),
            "vocabulary": None if vocabulary.is_bytes else "".join(vocabulary.characters or ()),
            **({"unknown": vocabulary.unknown_character} if vocabulary.unknown_character is not None else {}),
            **dataclasses.asdict(metadata),
            **({"progress": dataclasses.asdict(resume_state.progress)} if resume_state else {}),
            CHECKSUM: tensor_checksums(kind, on_cpu),
        }
    )
    if len(header) > MAX_HEADER_BYTES // 2:  # the other half is for tensor names
        raise CheckpointError(f"{path}: the vocabulary is too large for a checkpoint; read the text with --bytes")
    try:
        with atomic_write(path, previous=previous, is_locked=True) as temporary:
            save_file(on_cpu, temporary, metadata=metadata_of(header))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be written: {_reason(error)}; free some disk space, or choose another path with --out"
        ) from error


def _reason(error: OSError | SafetensorError) -> str:
    """Return the operating system's message for an error; safetensors errors contain the error number as text."""
    number = error.errno if isinstance(error, OSError) else None
    match = re.search(r"\(os error (\d+)\)", str(error))
    if match:
        number = int(match[1])
    return os.strerror(number) if number else str(error)


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint. A network is put into evaluation mode on the device; n-gram models stay on the CPU.

    Raises:
        CheckpointError: the file cannot be read, is not a checkpoint, or does not match its header; the message has the
            file, the key, the expected value and the actual one.
    """
    size, header, tensors = _read(path, _is_model_tensor)
    with _damage_reported(path):
        vocabulary = make_vocabulary(header)
        model = make_model(header, len(vocabulary), tensors)
        check_tensors(header, tensors, _is_model_tensor)
        names = {spec.name for spec in dataclasses.fields(Metadata)}
        metadata: Metadata = from_json("header", {name: header[name] for name in names & header.keys()}, Metadata)
        require_equal("header.text.corpus.bytes", metadata.text.corpus.bytes, vocabulary.is_bytes)
    if isinstance(model, torch.nn.Module):
        model.to(device).eval()
    return Checkpoint(model, vocabulary, metadata, path, size)


def load_resume_state(path: Path) -> ResumeState:
    """Read the data for resuming, without the model, on the CPU.

    Raises:
        CheckpointError: see `load`; or the file has no data for resuming.
    """
    _, header, tensors = _read(path, _is_training_tensor)
    if "progress" not in header:
        raise CheckpointError(f"{path}: contains no training state; resume from the checkpoint that ends with {LAST}")
    with _damage_reported(path):
        check_tensors(header, tensors, _is_training_tensor)
        progress: TrainingProgress = from_json("header.progress", header["progress"], TrainingProgress)
        progress.check()
    return ResumeState(progress, with_prefix(TRAINING, tensors))


def _is_training_tensor(name: str) -> bool:
    return name.startswith(TRAINING)


def _is_model_tensor(name: str) -> bool:
    return not _is_training_tensor(name)


def _read(path: Path, is_wanted: Callable[[str], bool]) -> tuple[int, dict[str, Any], dict[str, Tensor]]:
    """Return the size of a file in bytes, its header, and its tensors for which `is_wanted` is true."""
    size, metadata, tensors = read_container(path, is_wanted)
    if HEADER_KEY not in metadata:
        raise CheckpointError(f"{path}: is a safetensors file, but not a checkpoint of charrnn; use another file")
    with _damage_reported(path):
        try:
            content = json.loads(metadata[HEADER_KEY])
        except ValueError as error:
            raise ValueError(f"header: expected JSON, found {metadata[HEADER_KEY]!r:.50}: {error}") from None
        header = from_json("header", content, dict[str, object])
        version = header.get("format")
    if type(version) is int and version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format: expected {FORMAT_VERSION}, found {version!r:.50}: made by a newer version of charrnn; "
            "upgrade charrnn to open it"
        )
    with _damage_reported(path):
        require_equal("format", version, FORMAT_VERSION)
        check_header(metadata)
    return size, header, tensors


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Convert any error about a file's content to a CheckpointError with the file's name."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, RecursionError, CharRNNError) as error:
        reason = " ".join(str(error).split())
        if len(reason) > 300:  # the message may quote much of the file
            reason = f"{reason[:300]}…"
        raise CheckpointError(f"{path}: is damaged, or from another version: {reason}") from error
