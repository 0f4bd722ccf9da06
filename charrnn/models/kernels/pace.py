"""How many threads take a short piece of work that comes again and again: all of them, or one, where that was faster.

Threads wait for each other at the end of each piece. On a machine that has other work, one of them may not be run for
some milliseconds, in which the others could have done the piece a hundred times.
"""

from __future__ import annotations

TRIAL = 4
"""Pieces that decide."""
FIRST_WAIT, LONGEST_WAIT = 64, 4096
"""Pieces between trials; twice as many after each that was lost."""
STALL = 10
"""Times the usual, from which on one piece is enough to know."""


class Pace:
    """Told how long each piece took, it says how many threads to take for the next.

    Args:
        most: threads, 1 or more.

    Attributes:
        threads: for the next piece.
    """

    def __init__(self, most: int) -> None:
        self.most = self.threads = most
        self._means: dict[int, float] = {}
        self._is_trial, self._wait, self._left = False, FIRST_WAIT, 2

    def took(self, seconds: float) -> None:
        """The last piece."""
        if self.most == 1:
            return
        mean = self._means.get(self.threads, seconds)
        self._means[self.threads] = mean + (seconds - mean) / TRIAL
        self._left -= 1
        other = self.most if self.threads == 1 else 1
        usual = self._means[other] if self._is_trial else mean
        if self._left and seconds < STALL * usual:
            return
        if not self._is_trial:
            self._means.pop(other, None)
            self.threads, self._left = other, TRIAL
        elif self._means[other] < self._means[self.threads]:
            self.threads, self._wait = other, min(2 * self._wait, LONGEST_WAIT)
            self._left = self._wait
        else:
            self._wait = self._left = FIRST_WAIT
        self._is_trial = not self._is_trial
