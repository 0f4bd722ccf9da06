"""The safetensors file of a checkpoint: opening untrusted files, and checksums.

The length of the header is checked before the header is read. The safetensors library then reads the header, rejects
tensors that overlap or lie outside the file, and maps the requested tensors into memory.

The metadata contains the CRC-32 of the header, and the header that of each tensor, except in n-gram models, whose files
may have gigabytes but must open in milliseconds. Because an attacker can compute checksums too, `build.py` also checks
all values. Files from before checksums were introduced have none.
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

from charrnn.checkpoint.format import FOLDED, HEADER_KEY, NGRAM, SHORT
from charrnn.checkpoint.metadata import from_json
from charrnn.errors import CheckpointError
from charrnn.paths import CHECKPOINT_SUFFIX

CHECKSUM = "crc32"
"""The key of the header's checksum in the file's metadata, and of the tensors' checksums in the header."""
MAX_HEADER_BYTES = 1 << 23
"""The maximum size of the header: 60,000 tensors or about 600,000 characters. Parsing may need 25 times the memory."""
LENGTH_BYTES = 8
"""The size of the first field of the file, the length of the header."""
FOREIGN_FORMATS = {
    b"PK\x03\x04": "a PyTorch file (ZIP)",
    b"\x80\x02": "a pickle, as in older PyTorch files",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x03\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"\x04\x00\x00\x00\x01\x00\x00\x00": "a Torch file (.t7)",
    b"4\n1\n": "a Torch file (.t7)",
}
"""The first bytes of other programs' checkpoints."""
TENSOR_END = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d{1,19})\s*\]')
"""The place in a header where the end of a tensor is given."""


def read_container(path: Path, is_wanted: Callable[[str], bool]) -> tuple[int, dict[str, str], dict[str, Tensor]]:
    """Return the size of a file in bytes, its metadata, and its tensors for which `is_wanted` is true.

    Raises:
        CheckpointError: the file cannot be read, or is not a complete safetensors file.
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
            raise CheckpointError(f"{path}: not a safetensors file, or damaged: {reason:.300}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}; use another file") from error


def _check_beginning(path: Path) -> int:
    """Return the size of a file in bytes; CheckpointError if it cannot be a safetensors file."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; use a {CHECKPOINT_SUFFIX} file in it")
    if not path.exists():
        raise CheckpointError(f"{path}: not found; `charrnn train TEXT` creates a checkpoint")
    if not path.is_file():  # reading a pipe would never end
        raise CheckpointError(f"{path}: is not a regular file; use a {CHECKPOINT_SUFFIX} file")
    if str(path) != os.fsencode(path).decode("utf-8", "replace"):
        raise CheckpointError(f"{path}: safetensors cannot open a path that is not UTF-8; rename the file or folder")
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning, brace = file.read(LENGTH_BYTES), file.read(1)
    for signature, name in FOREIGN_FORMATS.items():
        # The length of a safetensors header of 1,152 bytes looks like the start of a pickle, but a JSON object follows.
        if beginning.startswith(signature) and brace != b"{":
            raise CheckpointError(
                f"{path}: expected a safetensors file, found {name}, which charrnn does not open because it could run "
                "code; use a checkpoint made by charrnn"
            )
    length = int.from_bytes(beginning, "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(f"{path}: not a safetensors file; use a checkpoint made by charrnn (in `checkpoints/`)")
    min_size = LENGTH_BYTES + length if len(beginning) == LENGTH_BYTES else LENGTH_BYTES
    if min_size > size:
        raise _cut_off(path, f"at least {min_size:,}", size)
    return size


def _check_end(path: Path, size: int) -> None:
    """Raise CheckpointError if a file is shorter than its header says."""
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(LENGTH_BYTES), "little"))
    end = max((int(match[1]) for match in TENSOR_END.finditer(header)), default=None)
    if end is not None and LENGTH_BYTES + len(header) + end > size:
        raise _cut_off(path, f"{LENGTH_BYTES + len(header) + end:,}", size)


def _cut_off(path: Path, expected: str, size: int) -> CheckpointError:
    return CheckpointError(
        f"{path}: is truncated: expected {expected} bytes, found {size:,}; copy or make the file again"
    )


def metadata_of(header: str) -> dict[str, str]:
    """Return the metadata of a file with this header."""
    return {HEADER_KEY: header, CHECKSUM: str(crc32(header.encode()))}


def tensor_checksums(kind: str, tensors: dict[str, Tensor]) -> dict[str, int]:
    """Compute the checksums of a checkpoint's tensors, which must be contiguous and on the CPU, by name."""
    is_ngram = kind == "ngram"
    return {
        name: _checksum(tensor)
        for name, tensor in tensors.items()
        if not (is_ngram or name.startswith((NGRAM, SHORT, FOLDED)))
    }


def check_header(metadata: dict[str, str]) -> None:
    """Raise ValueError unless the header matches its checksum."""
    if metadata.keys() == {HEADER_KEY}:
        return  # a file from before checksums were introduced
    if metadata.keys() != {HEADER_KEY, CHECKSUM}:
        raise ValueError(f"metadata: expected {HEADER_KEY} and {CHECKSUM}, found {', '.join(sorted(metadata))}")
    _require_checksum("header", metadata[CHECKSUM], str(crc32(metadata[HEADER_KEY].encode())))


def check_tensors(header: dict[str, Any], tensors: dict[str, Tensor], is_wanted: Callable[[str], bool]) -> None:
    """Raise ValueError with the tensor's name unless all wanted tensors match their checksums."""
    expected: dict[str, int] = from_json(f"header.{CHECKSUM}", header.get(CHECKSUM, {}), dict[str, int])
    for name in filter(is_wanted, expected):
        _require_checksum(name, expected[name], _checksum(tensors[name]) if name in tensors else None)


def _require_checksum(name: str, expected: object, actual: object) -> None:
    if actual != expected:
        raise ValueError(f"{name}: expected the checksum {expected}, found {actual}")


def _checksum(tensor: Tensor) -> int:
    return crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)
