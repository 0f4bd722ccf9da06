"""Ctrl-C at any moment: also while modules are still being loaded, where an exception would end in a traceback.

Imports nothing that takes time, so that it can be the first thing that `charrnn` does.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # signal.py loads enum, as slow as all before it
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
"""Exit status: 128 and the number of SIGINT."""
LINE = "charrnn: interrupted"
IMPORTING = "<frozen importlib"
"""The file of frames that load a module."""


def install() -> None:
    """Handle SIGINT from now on, unless this process was started to ignore it (`nohup`, a shell's background job)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; while a module is loaded leave at once: C++ code there does not pass exceptions on."""
    where = frame
    while where is not None:
        if where.f_code.co_filename.startswith(IMPORTING):
            os.write(2, f"{LINE}\n".encode())
            os._exit(INTERRUPTED)
        where = where.f_back
    raise KeyboardInterrupt
