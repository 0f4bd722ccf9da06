"""Fields of configurations: each describes a command-line option and checks its value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

from charrnn.errors import UsageError

Check = Callable[[Any], str | None]
"""A function that takes a value other than None, and returns None if it is valid, otherwise what it must be."""
MAX_INT = 2**31 - 1
"""The largest integer that every library in use accepts."""


def _finite_or(value: float, low: float, condition: str) -> str:
    return "finite" if value > low else condition


def ge(low: float) -> Check:
    """Return a check that accepts finite numbers ≥ `low`."""
    return lambda value: None if low <= value < math.inf else f"must be {_finite_or(value, low, f'{low} or more')}"


def int_range(low: int, high: int = MAX_INT) -> Check:
    """Return a check that accepts integers from `low` to `high`, both included."""

    def check(value: int) -> str | None:
        if low <= value <= high:
            return None
        return f"must be {low} or more" if value < low and high == MAX_INT else f"must be from {low} to {high}"

    return check


def gt(low: float) -> Check:
    """Return a check that accepts finite numbers > `low`."""
    return lambda value: None if low < value < math.inf else f"must be {_finite_or(value, low, f'more than {low}')}"


def fraction(value: float) -> str | None:
    """Accept numbers from 0 (included) to 1 (excluded)."""
    return None if 0 <= value < 1 else "must be at least 0 and less than 1"


def positive_fraction(value: float) -> str | None:
    """Accept numbers from 0 (excluded) to 1 (included)."""
    return None if 0 < value <= 1 else "must be more than 0 and at most 1"


def not_empty(value: str) -> str | None:
    """Accept non-empty strings."""
    return None if value else "must not be empty"


def all_not_empty(values: tuple[str, ...]) -> str | None:
    """Accept tuples of non-empty strings."""
    return None if all(values) else "must not be empty"


@dataclass(frozen=True)
class OneOf:
    """A check that accepts only the choices."""

    choices: Collection[str]

    def __call__(self, value: Any) -> str | None:
        return None if value in tuple(self.choices) else f"must be one of {', '.join(self.choices)}"


@dataclass(frozen=True)
class SomeOf(OneOf):
    """A check that accepts one of the choices, or several with commas between them."""

    def __call__(self, value: Any) -> str | None:
        if all(part in tuple(self.choices) for part in str(value).split(",")):
            return None
        return f"must be one of {', '.join(self.choices)}, or several with commas between them"


def option(
    default: Any,
    help: str,
    *flags: str,
    metavar: str | None = None,
    check: Check | None = None,
    is_common: bool = False,
    escapes: bool = False,
    is_filter: bool = False,
) -> Any:
    r"""Return a dataclass field that describes a command-line option.

    Args:
        default: the default value.
        help: the help text.
        flags: the option's names (default: `--` and the name of the field).
        metavar: the name of the value in `--help` (default: the choices of a OneOf, N for integers, X for floats).
        check: the check of values other than None.
        is_common: whether `--help` lists the option in its first panel; otherwise in the config's "Advanced" panel.
        escapes: whether escape sequences such as \n are replaced in values from the command line.
        is_filter: whether the option turns on a sampling filter; such fields are in the order in which filters apply.
    """
    return field(
        default=default,
        metadata={
            "help": help, "flags": flags, "metavar": metavar, "check": check, "is_common": is_common,
            "escapes": escapes, "is_filter": is_filter,
        },
    )  # fmt: skip


def option_flags(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """Return the command-line names of a field, the main one first."""
    flags: tuple[str, ...] = spec.metadata["flags"]
    return flags or (f"--{spec.name.replace('_', '-')}",)


class ValidatedConfig:
    """Base class of configurations, which checks each field when an instance is created."""

    panel: ClassVar[str]
    """The subject of the options: `--help` lists the less common ones under "Advanced: PANEL"."""

    def __post_init__(self) -> None:
        """Raise UsageError at the first field whose value fails its check."""
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value, check = getattr(self, spec.name), spec.metadata["check"]
            problem = check(value) if check and value is not None else None
            if problem:
                flag = option_flags(spec)[0].split("/")[0]
                shown = f"{value:g}" if isinstance(value, float) else "''" if value in ("", ("",)) else value
                raise UsageError(f"{flag} {shown}: {problem}")

    @classmethod
    def flag(cls, name: str) -> str:
        """Return the main command-line name of a field."""
        return next(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.name == name)  # type: ignore[arg-type]
