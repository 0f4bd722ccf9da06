"""Checksums: what has changed since it was written is not believed.

Each file says the CRC-32 of its header, and the header that of each tensor, those of n-grams aside: a file of theirs
may have gigabytes, is opened in milliseconds, and never read as a whole. Whoever means harm can make a checksum fit, so
what is read is checked for what it must be, too (`making.py`). Files from before there were checksums have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from charrnn.checkpoint.format import COUNTS, KEY
from charrnn.checkpoint.metadata import restore

CHECKSUM = "crc32"
"""The key of the header's checksum, beside the header's; and in the header, of those of the tensors."""


def metadata_of(header: str) -> dict[str, str]:
    """What a file says beside its tensors."""
    return {KEY: header, CHECKSUM: str(_of_text(header))}


def of_tensors(kind: str, tensors: dict[str, Tensor]) -> dict[str, int]:
    """The checksums of a checkpoint's tensors, by name; the tensors are contiguous and on the CPU."""
    is_counted = kind == "ngram"
    return {name: _of(one) for name, one in tensors.items() if not (is_counted or name.startswith(COUNTS))}


def check_header(metadata: dict[str, str]) -> None:
    """Raise ValueError unless the header is as it was written."""
    if metadata.keys() == {KEY}:
        return  # from before there were checksums
    if metadata.keys() != {KEY, CHECKSUM}:
        raise ValueError(f"metadata: expected {KEY} and {CHECKSUM}, found {', '.join(sorted(metadata))}")
    _compare("header", metadata[CHECKSUM], str(_of_text(metadata[KEY])))


def check_tensors(header: dict[str, Any], tensors: dict[str, Tensor], is_wanted: Callable[[str], bool]) -> None:
    """Raise ValueError unless the tensors that are wanted are as they were written; the message names the first."""
    expected: dict[str, int] = restore(f"header.{CHECKSUM}", header.get(CHECKSUM, {}), dict[str, int])
    for name in filter(is_wanted, expected):
        _compare(name, expected[name], _of(tensors[name]) if name in tensors else None)


def _compare(name: str, expected: object, found: object) -> None:
    if found != expected:
        raise ValueError(f"{name}: expected the checksum {expected}, found {found}")


def _of_text(text: str) -> int:
    return crc32(text.encode("utf-8"))


def _of(tensor: Tensor) -> int:
    return crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)
