"""Progress of long tasks: the callback that reports progress, and the protocol of progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""A callback that takes the amount done and the total."""

BAR_DELAY = 1.0
"""Delay before a progress bar appears, in seconds."""


class ProgressBars(Protocol):
    """A factory of progress bars."""

    def __call__(self, label: str, unit: str, delay: float = BAR_DELAY, /) -> AbstractContextManager[Progress]:
        """Show a bar after `delay` seconds; `unit` is the unit of the amounts, such as `char`."""


@contextmanager
def no_bar(label: str, unit: str, delay: float = BAR_DELAY, /) -> Iterator[Progress]:
    """Show no progress bar."""
    yield no_progress


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""
