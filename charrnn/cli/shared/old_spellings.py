"""Options that charrnn no longer has, and what to type instead."""

from __future__ import annotations

OLD_OPTIONS: dict[tuple[str, str], str] = {}
"""(command, option) → advice, such as ("sample", "--old"): "use --new"."""


def advice_on(error: Exception) -> str | None:
    """The advice on an unknown option that a command once had; None for any other error."""
    context = getattr(error, "ctx", None)
    command = context.info_name if context else ""
    return OLD_OPTIONS.get((command, getattr(error, "option_name", "")))
