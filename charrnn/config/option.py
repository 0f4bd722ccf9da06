"""What the fields of configurations are made of: an option of the command line, and the check of its value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

from charrnn.errors import UsageError

Check = Callable[[Any], str | None]
"""A function of a value that is not None; returns what the value must be, or None if it is valid."""
MAX_INT = 2**31 - 1
"""Largest integer that every library in use accepts."""


def ge(low: float) -> Check:
    """A check that accepts finite numbers ≥ `low`."""
    return lambda value: None if low <= value < math.inf else f"must be {low} or more"


def int_range(low: int, high: int = MAX_INT) -> Check:
    """A check that accepts integers from `low` to `high`, both included."""
    return lambda value: None if low <= value <= high else f"must be from {low} to {high}"


def gt(low: float) -> Check:
    """A check that accepts finite numbers > `low`."""
    return lambda value: None if low < value < math.inf else f"must be more than {low}"


def fraction(value: float) -> str | None:
    """Accept numbers from 0 (included) to 1 (excluded)."""
    return None if 0 <= value < 1 else "must be 0 or more, and less than 1"


def positive_fraction(value: float) -> str | None:
    """Accept numbers from 0 (excluded) to 1 (included)."""
    return None if 0 < value <= 1 else "must be more than 0, and at most 1"


def not_empty(value: str) -> str | None:
    """Accept strings that are not empty."""
    return None if value else "must not be empty"


def all_not_empty(values: tuple[str, ...]) -> str | None:
    """Accept tuples of strings of which none is empty."""
    return None if all(values) else "must not be empty"


@dataclass(frozen=True)
class OneOf:
    """A check that accepts the choices."""

    choices: Collection[str]

    def __call__(self, value: Any) -> str | None:
        return None if value in tuple(self.choices) else f"must be one of {', '.join(self.choices)}"


def option(
    default: Any, help: str, *flags: str, check: Check | None = None, escapes: bool = False, is_filter: bool = False
) -> Any:
    r"""A field with what the command line must know of it.

    Args:
        default: the value when nobody says otherwise.
        help: one sentence for `--help`.
        flags: the names on the command line; without any, `--` and the field's own name.
        check: see `Check`; it is not asked about None.
        escapes: whether \n and the like stand for characters on the command line.
        is_filter: whether it turns on a filter of sampling; such fields stand in the order in which filters apply.
    """
    return field(
        default=default,
        metadata={"help": help, "flags": flags, "check": check, "escapes": escapes, "is_filter": is_filter},
    )


def option_flags(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The names of a field on the command line, the main one first."""
    flags: tuple[str, ...] = spec.metadata["flags"]
    return flags or (f"--{spec.name.replace('_', '-')}",)


class ValidatedConfig:
    """Base class of configurations: the check of each field is applied when an instance is created."""

    panel: ClassVar[str]
    """The heading of the options in `--help`."""

    def __post_init__(self) -> None:
        """Raise UsageError at the first field whose value fails its check."""
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value, check = getattr(self, spec.name), spec.metadata["check"]
            complaint = check(value) if check and value is not None else None
            if complaint:
                flag = option_flags(spec)[0].split("/")[0]
                raise UsageError(f"{flag} {value}: {complaint}")

    @classmethod
    def flag(cls, name: str) -> str:
        """The option of a field, as it is typed."""
        return next(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.name == name)  # type: ignore[arg-type]
