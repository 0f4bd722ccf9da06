"""Options that charrnn once had: whoever types one is told, in a line, what has taken its place."""

from __future__ import annotations

import sys

OLD_OPTIONS: dict[tuple[str, str], str] = {
    ("train", "--resume"): "use --resume-from FILE",
}
"""(command, option) → what to type instead; such as ("sample", "--old"): "use --new"."""


def advice_on(error: Exception) -> str | None:
    """What to type instead of an option that a command no longer has; None if it never had it."""
    context = getattr(error, "ctx", None)
    command = context.info_name if context else "".join(sys.argv[1:2])  # the parser's own errors have no context
    return OLD_OPTIONS.get((command, getattr(error, "option_name", "")))
