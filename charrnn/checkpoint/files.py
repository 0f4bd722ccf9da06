"""A safetensors file that may be anything: what it is, how long its header is, and that it is whole.

The header's length is checked before the header is read. Then the safetensors library takes over: it reads the header,
refuses tensors that are not in the file, or lie over each other, and maps those that are asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from charrnn.checkpoint.names import SUFFIX
from charrnn.errors import CheckpointError

MOST_HEADER = 1 << 23
"""Bytes: room for 60,000 tensors, or some 600,000 characters. Read, a hostile one takes 25 times as much memory."""
LENGTH = 8
"""Bytes, at the beginning, of the header's length."""
OTHERS = {
    b"PK\x03\x04": "a PyTorch file (a zip)",
    b"\x80\x02": "a pickle, as PyTorch's older files are",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x03\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"\x04\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"4\n1\n": "a Torch file (.t7)",
}
"""What files may begin with that other programs take for checkpoints."""
END = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d{1,19})\s*\]')
"""Where a tensor ends, in a header."""


def read(path: Path, is_wanted: Callable[[str], bool]) -> tuple[int, dict[str, str], dict[str, Tensor]]:
    """The bytes of a file, its metadata, and its tensors that are wanted.

    Raises:
        CheckpointError: it cannot be read, or is no safetensors file, or not all of one.
    """
    try:
        size = _check_beginning(path)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys() if is_wanted(name)}  # noqa: SIM118
                return size, file.metadata() or {}, tensors
        except (SafetensorError, RuntimeError, ValueError, TypeError) as error:  # PyTorch raises the last three
            _check_end(path, size)
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{path}: is no safetensors file, or a damaged one: {reason:.300}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def _check_beginning(path: Path) -> int:
    """Raise CheckpointError unless a header may follow; the bytes of the file."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; name a {SUFFIX} file in it")
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file; `charrnn train TEXT` makes checkpoints")
    if not path.is_file():  # a pipe would never end
        raise CheckpointError(f"{path}: is no regular file; name a {SUFFIX} file")
    if str(path) != os.fsencode(path).decode("utf-8", "replace"):
        raise CheckpointError(f"{path}: its name is not UTF-8, which safetensors cannot open; rename it, or its folder")
    size = path.stat().st_size
    with path.open("rb") as file:
        begin, brace = file.read(LENGTH), file.read(1)
    for its, name in OTHERS.items():
        # A header of 1,152 bytes begins like a pickle, by its length; but then a JSON object follows.
        if begin.startswith(its) and brace != b"{":
            raise CheckpointError(
                f"{path}: expected a safetensors file, found {name}, which charrnn does not open: that could run code; "
                "name a checkpoint that charrnn has made"
            )
    length = int.from_bytes(begin, "little")
    if length > MOST_HEADER:
        raise CheckpointError(
            f"{path}: not a safetensors file; name a checkpoint that charrnn has made, see `ls checkpoints`"
        )
    whole = LENGTH + length if len(begin) == LENGTH else LENGTH
    if whole > size:
        raise _cut_off(path, "at least ", whole, size)
    return size


def _check_end(path: Path, size: int) -> None:
    """Raise CheckpointError where the header of a file tells of other bytes than there are."""
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(LENGTH), "little"))
    end = max((int(found[1]) for found in END.finditer(header)), default=None)
    if end is not None and LENGTH + len(header) + end > size:
        raise _cut_off(path, "", LENGTH + len(header) + end, size)


def _cut_off(path: Path, least: str, expected: int, found: int) -> CheckpointError:
    return CheckpointError(
        f"{path}: is cut off: expected {least}{expected:,} bytes, found {found:,}; copy it again, or make it anew"
    )
