"""Memory that is given back at each step and asked for again at the next stays with the process.

glibc returns large blocks to the system at once, and the system hands them out again page by page, in zeros: for the
tensors of a wide network that is a tenth of a training step. It knows nothing of models.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Names of settings, see `mallopt` in malloc.h: what may lie free at the heap's end; how many blocks lie outside."""
KEEP = {TRIM_THRESHOLD: -1, MMAP_MAX: 0}
USUAL = {TRIM_THRESHOLD: 128 * 1024, MMAP_MAX: 65536}


@contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Keep freed memory for the next step, where the C library can be told to; give it back at the end."""
    try:
        libc = ctypes.CDLL(None)
        settle, trim = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        yield
        return
    for name, value in KEEP.items():
        settle(name, value)
    try:
        yield
    finally:
        for name, value in USUAL.items():
            settle(name, value)
        trim(0)
