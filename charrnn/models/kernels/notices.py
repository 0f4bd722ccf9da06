"""What a user should know of this machine once the command has ended: what is slower than it need be, and why."""

from __future__ import annotations

_notices: dict[str, str] = {}


def put(subject: str, message: str) -> None:
    """Remember a line; one of the same subject is replaced."""
    _notices[subject] = message


def notices() -> list[str]:
    """The lines."""
    return list(_notices.values())
