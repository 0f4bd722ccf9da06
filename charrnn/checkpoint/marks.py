"""Places in texts that are being written, in a safetensors file, to go on from.

Beside the model's state a file has all characters so far and how many random numbers each text has taken. It is of use
with the very model that it was written with, and says which one that is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from charrnn.checkpoint.container import read_container
from charrnn.checkpoint.format import Checkpoint, below
from charrnn.checkpoint.metadata import MAX_EXACT_INTEGER, restore
from charrnn.config import LARGEST_INTEGER
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.files import atomic_write
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.state import Mark, joined

KEY = "charrnn-state"
"""Of the JSON string in a file's metadata."""
FORMAT = 1
STATE = "state."
"""Begins the names of the model's tensors."""


def identity_of(checkpoints: Sequence[Checkpoint], weights: Sequence[float]) -> str:
    """What tells a model, or a blend of some, from all others, wherever its file is.

    Args:
        checkpoints: the models.
        weights: of each in the blend.
    """
    said = [(one.description, asdict(one.facts), weight) for one, weight in zip(checkpoints, weights, strict=True)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def save_marks(path: Path, marks: Sequence[Mark], identity: str) -> None:
    """Write the places of some texts, whole or not at all.

    Args:
        path: the file.
        marks: one at least.
        identity: of the model.

    Raises:
        CheckpointError: it cannot be written.
    """
    said: dict[str, Any] = {
        "format": FORMAT,
        "model": identity,
        "tokens": [mark.token for mark in marks],
        "lengths": [len(mark.ids) for mark in marks],
        "begins": [mark.begin for mark in marks],
        "seeds": [mark.seed for mark in marks],
        "positions": [mark.position for mark in marks],
    }
    tensors = {"ids": torch.tensor([token for mark in marks for token in mark.ids], dtype=torch.int32)}
    states = [mark.state for mark in marks if mark.state is not None]
    said["with_state"] = [number for number, mark in enumerate(marks) if mark.state is not None]
    for i, part in enumerate(joined(states)):
        tensors[f"{STATE}{i}"] = part.cpu().contiguous()
    try:
        with atomic_write(path) as temporary:
            save_file(tensors, temporary, metadata={KEY: json.dumps(said)})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written: {error}; say another place with --save-state") from error


def load_marks(path: Path, model: LanguageModel, identity: str) -> list[Mark]:
    """The places of some texts.

    Args:
        path: the file.
        model: what wrote them; it takes a step, to see that the states are its own.
        identity: of the model.

    Raises:
        CheckpointError: the file cannot be read, is none of this kind, is damaged, or is of another model.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file; --save-state makes one")
    _, metadata, tensors = read_container(path, lambda name: True)
    if KEY not in metadata:
        raise CheckpointError(f"{path}: is no state of a text; --save-state makes one")
    try:
        header: dict[str, Any] = restore("header", json.loads(metadata[KEY]), dict[str, object])
        if header.get("format") != FORMAT:
            raise ValueError(f"format: expected {FORMAT}, found {header.get('format')!r:.50}")
        if header.get("model") != identity:
            raise CheckpointError(f"{path}: was written with another model, or another --mix; name that one")
        return _marks(header, tensors, model)
    except CheckpointError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError, CharRNNError) as error:
        line = " ".join(str(error).split())
        raise CheckpointError(f"{path}: is damaged: {line:.200}; write a new one with --save-state") from error


def _marks(header: dict[str, Any], tensors: dict[str, Tensor], model: LanguageModel) -> list[Mark]:
    """What a header and tensors say; ValueError, or whatever the model raises, says what is wrong."""
    names = ("tokens", "lengths", "begins", "seeds", "positions")
    columns = {name: restore(name, header[name], tuple[int, ...]) for name in names}
    ids, lengths = tensors["ids"], columns["lengths"]
    if ids.ndim != 1 or ids.dtype != torch.int32 or min(lengths, default=-1) < 0 or len(ids) != sum(lengths):
        raise ValueError(f"ids: expected {sum(lengths)} of {len(lengths)} texts")
    if any(not 0 <= token < model.vocab_size for token in (*columns["tokens"], *ids.tolist())):
        raise ValueError(f"ids: expected characters below {model.vocab_size}")
    rows = list(zip(*columns.values(), strict=True))
    for _, length, begin, seed, position in rows:
        if not (
            0 <= begin <= length
            and 0 <= seed <= LARGEST_INTEGER + MAX_EXACT_INTEGER
            and 0 <= position <= MAX_EXACT_INTEGER
        ):
            raise ValueError("expected a beginning within the text, and a seed and a position that are numbers")
    with_state: tuple[int, ...] = restore("with_state", header["with_state"], tuple[int, ...])
    if list(with_state) != sorted(set(with_state) & set(range(len(rows)))):
        raise ValueError(f"with_state: expected numbers of texts, found {with_state!r:.50}")
    state = _state(below(STATE, tensors), len(with_state), model)
    states = {row: tuple(part[i : i + 1] for part in state) for i, row in enumerate(with_state)}
    ends = np.cumsum(lengths).tolist()
    return [
        Mark(
            states.get(i),
            token,
            tuple(ids[end - length : end].tolist()),
            begin,
            seed,
            position,
        )
        for i, ((token, length, begin, seed, position), end) in enumerate(zip(rows, ends, strict=True))
    ]


def _state(tensors: dict[str, Tensor], rows: int, model: LanguageModel) -> tuple[Tensor, ...]:
    if not rows and not tensors:
        return ()
    tokens = torch.zeros(rows, 1, dtype=torch.int64)
    with torch.inference_mode():
        _, expected = model(tokens)
        state = tuple(tensors[str(i)].to(part.device) for i, part in enumerate(expected))
        for i, (found, part) in enumerate(zip(state, expected, strict=True)):
            if len(tensors) != len(expected) or found.shape != part.shape or found.dtype != part.dtype:
                raise ValueError(f"{STATE}{i}: expected {part.dtype} of shape {tuple(part.shape)}")
            if part.is_floating_point() and not found.isfinite().all():
                raise ValueError(f"{STATE}{i}: expected numbers")
        model(tokens, state)
    return state
