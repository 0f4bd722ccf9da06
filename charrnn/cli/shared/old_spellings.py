"""Options that charrnn once had: whoever types one is told, in a line, what has taken its place."""

from __future__ import annotations

OLD_OPTIONS: dict[tuple[str, str], str] = {
    ("sample", "--save-state"): "it was removed; to continue a text later, save it, and pass it with --prime-file",
    ("sample", "--load-state"): "it was removed; continue a text with --prime-file FILE",
    ("complete", "--checkpoint"): "the checkpoint comes first: charrnn complete NAME FILE",
}
"""(command, option) → what to type instead; such as ("sample", "--old"): "use --new"."""


def advice_on(error: Exception) -> str | None:
    """What to type instead of an option that a command no longer has; None if it never had it."""
    context = getattr(error, "ctx", None)
    command = context.info_name if context else ""
    return OLD_OPTIONS.get((command, getattr(error, "option_name", "")))
