"""Ctrl-C handling, also while modules are being imported, where an exception would end in a traceback.

Imports nothing slow, so that `charrnn` can install the handler first.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # signal.py imports enum, which is slow
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 plus the number of SIGINT."""
LINE = "charrnn: interrupted"
"""The line that is printed after Ctrl-C."""
IMPORTING = "<frozen importlib"
"""The beginning of the file name of frames that import a module."""


def install() -> None:
    """Handle SIGINT from now on, unless this process was started to ignore it (`nohup`, background jobs of a shell)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; exit immediately during an import, whose C++ code may not pass on exceptions."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORTING):
            os.write(2, f"{LINE}\n".encode())
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt
