"""A checkpoint onto the disk, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from charrnn.checkpoint.checksums import CHECKSUM, metadata_of, of_tensors
from charrnn.checkpoint.contents import FORMAT, TRAINING, Model, Ongoing, config_of, kind_of, tensors_of
from charrnn.errors import CheckpointError
from charrnn.facts import Facts
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
        **dataclasses.asdict(facts),
        **({"progress": dataclasses.asdict(ongoing.facts)} if ongoing else {}),
        CHECKSUM: of_tensors(kind, on_cpu),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=path.parent) as folder:
            part = Path(folder) / path.name
            part.touch()
            mode = part.stat().st_mode  # what the user's umask says; safetensors makes private files
            save_file(on_cpu, part, metadata=metadata_of(json.dumps(header)))
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.chmod(mode)
            if previous and path.exists():
                _keep(path, previous, Path(folder) / "previous")
            part.replace(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CheckpointError(f"{path}: cannot be written: {reason}; say another place with --out") from error


def _keep(path: Path, previous: Path, link: Path) -> None:
    """Let a file have a second name, in whose place another file may be."""
    try:
        link.hardlink_to(path)
        link.replace(previous)
    except OSError:  # not all file systems have them
        path.replace(previous)
