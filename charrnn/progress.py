"""Progress of long work: the callback that reports it, and where a bar for it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""A callback for the amounts done and in all."""

BAR_DELAY = 1.0
"""Seconds of work that need no bar."""


class ProgressBars(Protocol):
    """Makes a progress bar for each piece of work."""

    def __call__(self, label: str, unit: str, delay: float = BAR_DELAY, /) -> AbstractContextManager[Progress]:
        """A bar that appears after some seconds; `unit` is that of the amounts, such as `char`."""


@contextmanager
def no_bar(label: str, unit: str, delay: float = BAR_DELAY, /) -> Iterator[Progress]:
    """A progress bar that nobody sees."""
    yield no_progress


def no_progress(done: int, total: int) -> None:
    """A callback that does nothing."""
