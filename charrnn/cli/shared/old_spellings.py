"""Options that charrnn once had: whoever types one is told, in a line, what has taken its place."""

from __future__ import annotations

import sys
from dataclasses import fields

from charrnn.config import CorpusConfig, option_flags

INSPECT_TEXT = "use `charrnn data inspect TEXT`"
OLD_OPTIONS: dict[tuple[str, str], str] = {
    **{("inspect", flag): INSPECT_TEXT for flag in ("--advice", "--no-advice", "--device")},
    **{("inspect", flag): INSPECT_TEXT for spec in fields(CorpusConfig) for flag in option_flags(spec)},
    ("train", "--resume"): "use --resume-from FILE",
    ("sample", "--precision"): "sampling with int8 weights was removed; leave the option out",
    ("sample", "--save-state"): "it was removed; to continue a text later, save it, and pass it with --prime-file",
    ("sample", "--load-state"): "it was removed; continue a text with --prime-file FILE",
    ("complete", "--checkpoint"): "the checkpoint comes first: charrnn complete NAME FILE",
}
"""(command, option) → what to type instead; such as ("sample", "--old"): "use --new"."""


def advice_on(error: Exception) -> str | None:
    """What to type instead of an option that a command no longer has; None if it never had it."""
    context = getattr(error, "ctx", None)
    command = context.command_path.removeprefix("charrnn ") if context else "".join(sys.argv[1:2])
    return OLD_OPTIONS.get((command, getattr(error, "option_name", "")))
