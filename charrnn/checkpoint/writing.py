"""A checkpoint onto the disk, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from charrnn.checkpoint.checksums import CHECKSUM, metadata_of, of_tensors
from charrnn.checkpoint.files import MOST_HEADER
from charrnn.checkpoint.format import FORMAT, TRAINING, Model, Ongoing, config_of, kind_of, tensors_of
from charrnn.checkpoint.metadata import Facts
from charrnn.errors import CheckpointError
from charrnn.text.vocabulary import Vocabulary


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
    tensors = tensors_of(model)
    if ongoing:
        tensors = {**tensors, **{f"{TRAINING}{name}": tensor for name, tensor in ongoing.tensors.items()}}
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    kind = kind_of(model)
    header = {
        "format": FORMAT,
        "kind": kind,
        "model": dataclasses.asdict(config_of(model)),
        "vocabulary": None if vocabulary.is_bytes else "".join(vocabulary.characters or ()),
        **({"unknown": vocabulary.unknown_character} if vocabulary.unknown_character is not None else {}),
        **dataclasses.asdict(facts),
        **({"progress": dataclasses.asdict(ongoing.facts)} if ongoing else {}),
        CHECKSUM: of_tensors(kind, on_cpu),
    }
    said = json.dumps(header)
    if len(said) > MOST_HEADER // 2:  # the other half is for the names of tensors
        raise CheckpointError(f"{path}: too many different characters for a checkpoint; read the text with --bytes")
    write(path, on_cpu, metadata_of(said), "--out", previous)


def write(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], option: str, previous: Path | None = None
) -> None:
    """Write a safetensors file, whole or not at all.

    Args:
        path: the file.
        tensors: contiguous, on the CPU.
        metadata: what it says beside them.
        option: with which another place can be said.
        previous: where what is in the file now is kept.

    Raises:
        CheckpointError: it cannot be written.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path  # and the link stays
    part = _beside(path, "part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # of a process that was killed
        part.touch()
        mode = part.stat().st_mode  # what the user's umask says; safetensors makes private files
        save_file(tensors, part, metadata=metadata)
        part.chmod(mode)
        _flush(part, os.O_RDWR)
        if previous and path.exists():
            _keep(path, previous)
        part.replace(path)
        with suppress(OSError):  # not all systems can flush a folder, and the file is there
            _flush(path.parent, os.O_RDONLY)  # or the new name may be gone after a power cut
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be written: {_reason(error)}; make room, or say another place with {option}"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _beside(path: Path, what: str) -> Path:
    """A hidden file, of which there is one for each checkpoint: `charrnn` lets one process at a time write it."""
    return path.with_name(f".{path.name}.{what}")


def _flush(path: Path, how: int) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, how)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _keep(path: Path, previous: Path) -> None:
    """Let a file have a second name, in whose place another file may be."""
    link = _beside(path, "old")
    try:
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(previous)
    except OSError:  # not all file systems have them
        path.replace(previous)


def _reason(error: OSError | SafetensorError) -> str:
    """What the system says; the safetensors library wraps its number in words of its own."""
    number = error.errno if isinstance(error, OSError) else None
    found = re.search(r"\(os error (\d+)\)", str(error))
    if found:
        number = int(found[1])
    return os.strerror(number) if number else str(error)
