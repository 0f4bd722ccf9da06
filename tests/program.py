"""The program, run in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from charrnn.cli.main import main

TEXT = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer\n" * 20
SMALL = ("--hidden", "8", "--layers", "1", "--steps", "3")
QUICK = ("--length", 5, "--novelty-length", 0)
"""Options of `compare`, for tests of something else than samples."""


@dataclass(frozen=True)
class Outcome:
    """What a command gave back."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def json(self) -> Any:
        """The one line of JSON, in ASCII, that a command that went well printed."""
        assert self.status == 0, self.err
        assert self.out.isascii()
        assert self.out.count(b"\n") == 1
        return json.loads(self.out, parse_constant=refuse_constant)

    def failed_with(self, status: int, *parts: str) -> bool:
        """Whether it was a user's mistake as all of them must be: one line on stderr, nothing on stdout."""
        is_one_line = self.err.startswith("charrnn: ") and self.err.count("\n") == 1
        return self.status == status and is_one_line and not self.out and all(part in self.err for part in parts)


Charrnn = Callable[..., Outcome]


def refuse_constant(name: str) -> None:
    """Raise AssertionError for what Python takes for JSON and JSON does not: NaN and infinite numbers."""
    raise AssertionError(f"{name} is not JSON")


def compare_rows(charrnn: Charrnn, *words: object) -> list[dict[str, Any]]:
    """The rows of `charrnn compare` without baselines."""
    result = charrnn("compare", *words, "--json", "--length", 10, "--novelty-length", 60, "--baselines", "none")
    rows: list[dict[str, Any]] = result.json()
    return rows


def status_of(*words: str) -> int:
    """Run the program with these words on its command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["charrnn", *words])
        with pytest.raises(SystemExit) as leave:
            main()
    assert isinstance(leave.value.code, int)
    return leave.value.code
