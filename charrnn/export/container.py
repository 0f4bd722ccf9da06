"""The model of a page: a JSON header and arrays, each in the smallest encoding that serves it, deflated.

The bytes are: the length of the header (uint32, little-endian), the header, zeros up to a multiple of 8, and the
arrays, each at a multiple of 8. `engine/arrays.js` reads them.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG_STEP = math.log(2) / 2730
"""The distance of the logarithms of neighboring codes of the encoding `log16`; 65,535 codes reach down to 2^−24."""
MAX_CODE = (1 << 16) - 1
ALIGNMENT = 8
"""The alignment of the arrays in bytes."""
COMPRESSION = 9
INTEGERS: dict[str, type[np.unsignedinteger[Any]]] = {
    "u8": np.uint8,
    "u16": np.uint16,
    "u32": np.uint32,
    "u64": np.uint64,
}
"""The encodings of integers."""


class Container:
    """The arrays of a model, in the order in which they were added."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []
        self._chunks: list[bytes] = []
        self._end = 0

    def add(self, values: NDArray[Any], encoding: str) -> int:
        """Add an array, and return its number.

        Args:
            values: any shape; for `i8`, (N, columns).
            encoding: `f32`, `f16`, `i8` (8 bits, with a scale for each row), `log16` (16 bits of the logarithm of a
                number from 0 to 1), or one of INTEGERS.
        """
        record: dict[str, Any] = {"type": encoding, "size": int(values.size)}
        if encoding == "i8":
            codes, scales = int8_codes(values)
            record |= {"scales": self._append(scales.tobytes()), "columns": values.shape[1]}
            data = codes.tobytes()
        elif encoding == "log16":
            data = log_codes(values).tobytes()
        else:
            kinds: dict[str, type[Any]] = {"f32": np.float32, "f16": np.float16, **INTEGERS}
            data = np.ascontiguousarray(values, kinds[encoding]).tobytes()
        record["offset"] = self._append(data)
        self._records.append(record)
        return len(self._records) - 1

    def add_integers(self, values: NDArray[Any]) -> int:
        """Add integers of 0 or more in the smallest encoding."""
        largest = int(values.max(initial=0))
        return self.add(values, next(name for name, kind in INTEGERS.items() if largest <= np.iinfo(kind).max))

    def packed(self, header: dict[str, Any]) -> bytes:
        """Return the deflated bytes; `arrays` is added to the header."""
        text = json.dumps({**header, "arrays": self._records}, separators=(",", ":")).encode()
        head = len(text).to_bytes(4, "little") + text
        padding = bytes(-len(head) % ALIGNMENT)
        return zlib.compress(b"".join((head, padding, *self._chunks)), COMPRESSION)

    def _append(self, data: bytes) -> int:
        """Append bytes, and return their offset."""
        offset = self._end
        padded = data + bytes(-len(data) % ALIGNMENT)
        self._chunks.append(padded)
        self._end += len(padded)
        return offset


def int8_codes(values: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the codes (N, columns) from −127 to 127, and the scale of each row, (N,)."""
    scales = (np.abs(values).max(axis=1, initial=0.0) / 127).astype(np.float32)
    safe = np.where(scales > 0, scales, 1)
    return np.rint(values / safe[:, None]).astype(np.int8), scales


def log_codes(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the codes of numbers from 0 to 1: 0 for 0, 1 for 1, and larger ones for smaller numbers."""
    with np.errstate(divide="ignore"):
        codes = np.rint(-np.log(np.minimum(values.astype(np.float64), 1)) / LOG_STEP) + 1
    return np.where(values > 0, np.clip(codes, 1, MAX_CODE), 0).astype(np.uint16)


def rounded(values: NDArray[Any], encoding: str) -> NDArray[np.float32]:
    """Return what a reader of the page gets for these values."""
    if encoding == "i8":
        codes, scales = int8_codes(values)
        return codes.astype(np.float32) * scales[:, None]
    if encoding == "log16":
        codes = log_codes(values).astype(np.float64)
        return np.where(codes > 0, np.exp(-(codes - 1) * LOG_STEP), 0).astype(np.float32)
    return values.astype(np.float16 if encoding == "f16" else np.float32).astype(np.float32)
