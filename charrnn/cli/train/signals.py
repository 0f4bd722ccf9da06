"""Signals during training: Ctrl-C, a closed terminal, and the signals of batch schedulers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.cli.shared.terminal import log
from charrnn.training.step import StopFlag

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Signals that save the state and end the training."""
SAVING = tuple(getattr(signal, name) for name in ("SIGUSR1",) if hasattr(signal, name))
"""Signals that save the state without ending the training."""


@contextmanager
def stopped_by_signals() -> Iterator[StopFlag]:
    """Handle signals: the first one stops the training after a save; a second one ends the process immediately.

    Signals that the process was started to ignore, such as SIGHUP under `nohup`, stay ignored.
    """
    stop = StopFlag()

    def end(number: int, _: object) -> None:
        stop.request(number)
        restore(ENDING)
        _announce("stopping: saving a checkpoint (Ctrl-C again to quit immediately)")

    def save(number: int, _: object) -> None:
        stop.save_requested = True
        _announce("saving a checkpoint after this step; training continues")

    def restore(numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if number in before:
                signal.signal(number, before[number])

    handlers = {**dict.fromkeys(ENDING, end), **dict.fromkeys(SAVING, save)}
    before = {number: now for number in handlers if (now := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handlers[number])
    try:
        yield stop
    finally:
        restore((*ENDING, *SAVING))


def _announce(line: str) -> None:
    """Print a line from a signal handler; an error while printing must not end a training that is still to be saved."""
    try:
        log(line)
    except Exception:  # such as a reentrant call in the middle of another line; a thread waits until it is written
        threading.Thread(target=log, args=(line,)).start()
