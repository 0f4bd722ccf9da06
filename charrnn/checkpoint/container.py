"""The safetensors file that a checkpoint is stored in: opening one that may be anything, and its checksums.

The header's length is checked before the header is read. Then the safetensors library takes over: it reads the header,
refuses tensors that are not in the file, or that overlap, and maps those that are asked for.

The metadata has the CRC-32 of the header, and the header that of each tensor, except those of n-gram models: such a
file may have gigabytes, opens in milliseconds, and is never read as a whole. An attacker can compute checksums too, so
`build.py` also checks every value for what it must be. Files from before there were checksums have none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from charrnn.checkpoint.format import HEADER_KEY, NGRAM
from charrnn.checkpoint.metadata import from_json
from charrnn.errors import CheckpointError
from charrnn.paths import CHECKPOINT_SUFFIX

CHECKSUM = "crc32"
"""The key of the header's checksum in the file's metadata, and of the tensors' checksums in the header."""
MAX_HEADER_BYTES = 1 << 23
"""Room for 60,000 tensors, or some 600,000 characters. Parsing a hostile header takes 25 times as much memory."""
LENGTH_BYTES = 8
"""Size of the first field of the file, the length of its header."""
FOREIGN_FORMATS = {
    b"PK\x03\x04": "a PyTorch file (a zip)",
    b"\x80\x02": "a pickle, as PyTorch's older files are",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x03\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"\x04\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"4\n1\n": "a Torch file (.t7)",
}
"""First bytes of the checkpoints of other programs."""
TENSOR_END = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d{1,19})\s*\]')
"""The place in a header that says where a tensor ends."""


def read_container(path: Path, is_wanted: Callable[[str], bool]) -> tuple[int, dict[str, str], dict[str, Tensor]]:
    """The size of a file in bytes, its metadata, and those of its tensors that are wanted.

    Raises:
        CheckpointError: it cannot be read, or is not a complete safetensors file.
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
    """The size of a file in bytes; CheckpointError unless it may be a safetensors file."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; name a {CHECKPOINT_SUFFIX} file in it")
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file; `charrnn train TEXT` makes checkpoints")
    if not path.is_file():  # a pipe would never end
        raise CheckpointError(f"{path}: is no regular file; name a {CHECKPOINT_SUFFIX} file")
    if str(path) != os.fsencode(path).decode("utf-8", "replace"):
        raise CheckpointError(f"{path}: its name is not UTF-8, which safetensors cannot open; rename it, or its folder")
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning, brace = file.read(LENGTH_BYTES), file.read(1)
    for signature, name in FOREIGN_FORMATS.items():
        # A safetensors header of 1,152 bytes begins like a pickle, by its length; but then a JSON object follows.
        if beginning.startswith(signature) and brace != b"{":
            raise CheckpointError(
                f"{path}: expected a safetensors file, found {name}, which charrnn does not open: that could run code; "
                "name a checkpoint that charrnn has made"
            )
    length = int.from_bytes(beginning, "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path}: not a safetensors file; name a checkpoint that charrnn has made, see `ls checkpoints`"
        )
    min_size = LENGTH_BYTES + length if len(beginning) == LENGTH_BYTES else LENGTH_BYTES
    if min_size > size:
        raise _cut_off(path, f"at least {min_size:,}", size)
    return size


def _check_end(path: Path, size: int) -> None:
    """Raise CheckpointError where a file is shorter than its header says."""
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(LENGTH_BYTES), "little"))
    end = max((int(match[1]) for match in TENSOR_END.finditer(header)), default=None)
    if end is not None and LENGTH_BYTES + len(header) + end > size:
        raise _cut_off(path, f"{LENGTH_BYTES + len(header) + end:,}", size)


def _cut_off(path: Path, expected: str, size: int) -> CheckpointError:
    return CheckpointError(
        f"{path}: is cut off: expected {expected} bytes, found {size:,}; copy it again, or make it anew"
    )


def metadata_of(header: str) -> dict[str, str]:
    """The metadata of a file with this header."""
    return {HEADER_KEY: header, CHECKSUM: str(crc32(header.encode()))}


def tensor_checksums(kind: str, tensors: dict[str, Tensor]) -> dict[str, int]:
    """The checksums in the header of a checkpoint, by the names of its tensors: contiguous ones, on the CPU."""
    is_ngram = kind == "ngram"
    return {name: _checksum(tensor) for name, tensor in tensors.items() if not (is_ngram or name.startswith(NGRAM))}


def check_header(metadata: dict[str, str]) -> None:
    """Raise ValueError unless the header has its checksum."""
    if metadata.keys() == {HEADER_KEY}:
        return  # from before there were checksums
    if metadata.keys() != {HEADER_KEY, CHECKSUM}:
        raise ValueError(f"metadata: expected {HEADER_KEY} and {CHECKSUM}, found {', '.join(sorted(metadata))}")
    _require_checksum("header", metadata[CHECKSUM], str(crc32(metadata[HEADER_KEY].encode())))


def check_tensors(header: dict[str, Any], tensors: dict[str, Tensor], is_wanted: Callable[[str], bool]) -> None:
    """Raise ValueError, which names the tensor, unless those that are wanted have their checksums."""
    expected: dict[str, int] = from_json(f"header.{CHECKSUM}", header.get(CHECKSUM, {}), dict[str, int])
    for name in filter(is_wanted, expected):
        _require_checksum(name, expected[name], _checksum(tensors[name]) if name in tensors else None)


def _require_checksum(name: str, expected: object, actual: object) -> None:
    if actual != expected:
        raise ValueError(f"{name}: expected the checksum {expected}, found {actual}")


def _checksum(tensor: Tensor) -> int:
    return crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)
