"""What `charrnn sample` reads: its prompt, and the checkpoints that it mixes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from charrnn.checkpoint import Checkpoint, load
from charrnn.cli.shared.checkpoints import find
from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError
from charrnn.text.decode import decoding

MAX_PROMPT_BYTES = 10_000_000
"""The size of the longest prompt: a device or a pipe may have no end."""


def read_prompt(name: str, config: CorpusConfig, encoding: str | None) -> str:
    """The text of `--prime-file`.

    Args:
        name: a file, or - for standard input.
        config: how the text was read that the model was trained on.
        encoding: another encoding of this text.

    Raises:
        TextError: it cannot be read, or is too long.
    """
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_PROMPT_BYTES + 1)
    except OSError as error:
        raise TextError(f"--prime-file {name}: cannot be read: {error.strerror}; name a text file") from error
    if len(raw) > MAX_PROMPT_BYTES:
        raise TextError(f"--prime-file {name}: is longer than {MAX_PROMPT_BYTES:,} bytes; name a shorter one")
    encoding, errors = decoding(config, encoding)
    try:
        return raw.decode(encoding, errors)
    except UnicodeError as error:
        raise TextError(f"--prime-file {name}: not {encoding} ({error}); try --encoding") from None


def load_mixed(words: Sequence[str], device: torch.device) -> list[tuple[Checkpoint, float]]:
    """The checkpoints and weights that `--mix deep:0.3` names.

    Raises:
        UsageError: a word is not of that form.
        CheckpointError: one cannot be loaded.
    """
    pairs = [_parse(word) for word in words]
    return [(load(find(name), device), weight) for name, weight in pairs]


def _parse(word: str) -> tuple[str, float]:
    name, _, number = word.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not name or not 0 < weight < 1:
        raise UsageError(f"--mix {word}: must be a checkpoint and its weight between 0 and 1, such as deep:0.3")
    return name, weight
