"""Signals that ask a training to stop: Ctrl-C, and what batch schedulers send before they take a machine away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.cli.terminal import say
from charrnn.training.exchange import Stop

ASKING = (signal.SIGINT, signal.SIGTERM)


class SignalStop(Stop):
    """A switch that signals throw.

    Attributes:
        exit_status: what a shell expects of a program that the signal has ended: 128 and its number.
    """

    exit_status = 0

    def ask_by(self, number: int) -> None:
        """End the training soon, for a signal."""
        self.ask()
        self.exit_status = 128 + number


@contextmanager
def stopped_by_signals() -> Iterator[SignalStop]:
    """The first signal asks the training to stop; a second one does what it did before, and leaves at once."""
    stop = SignalStop()

    def ask(number: int, _: object) -> None:
        stop.ask_by(number)
        restore()
        say("stopping: saves first; once more leaves at once")

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    before = {number: signal.getsignal(number) for number in ASKING}
    for number in ASKING:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
