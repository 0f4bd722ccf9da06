"""The program, run in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from charrnn.cli.main import main

TEXT = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer\n" * 20
SMALL = ("--hidden", "8", "--layers", "1", "--steps", "3")


@dataclass(frozen=True)
class Outcome:
    """What a command gave back."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def failed_with(self, status: int, *parts: str) -> bool:
        """Whether it was a user's mistake as all of them must be: one line on stderr, nothing on stdout."""
        is_one_line = self.err.startswith("charrnn: ") and self.err.count("\n") == 1
        return self.status == status and is_one_line and not self.out and all(part in self.err for part in parts)


Charrnn = Callable[..., Outcome]


def status_of(*words: str) -> int:
    """Run the program with these words on its command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["charrnn", *words])
        with pytest.raises(SystemExit) as leave:
            main()
    assert isinstance(leave.value.code, int)
    return leave.value.code
