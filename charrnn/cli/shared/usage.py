"""Usage errors found by typer, in charrnn's form: "X: what is wrong; try Y"."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from charrnn.cli.shared.help import EXAMPLES
from charrnn.config import CorpusConfig, option_flags

INSPECT_TEXT = "use `charrnn data inspect TEXT`"
OLD_OPTIONS: dict[tuple[str, str], str] = {
    **{("inspect", flag): INSPECT_TEXT for flag in ("--advice", "--no-advice", "--device", "--minutes")},
    **{("inspect", flag): INSPECT_TEXT for spec in fields(CorpusConfig) for flag in option_flags(spec)},
    ("train", "--resume"): "use --resume-from FILE",
    ("sample", "--precision"): "remove it: charrnn no longer supports int8",
    ("sample", "--save-state"): "to continue a text later, save the text and pass it with --prime-file",
    ("sample", "--load-state"): "to continue a text, pass it with --prime-file FILE",
    ("complete", "--checkpoint"): "the checkpoint comes first: charrnn complete NAME FILE",
}
"""(command, removed option) → advice on what to use instead."""
MISSING_ARGUMENTS = {
    "TEXT": "no text given; try `charrnn {command} shakespeare.txt` (fetches Shakespeare's plays) or a text file of "
    "your own",
    "NAME": "no name given; try `charrnn {command} shakespeare`",
}
"""Messages about a missing argument, by its metavar."""
MESSAGES = (
    (r"No such command '(.+?)'\. Did you mean '(.+?)'", "{0}: no such command; did you mean {1}?"),
    (r"No such command '(.+?)'", "{0}: no such command; {help}"),
    (r"Got unexpected extra argument\S* \((.+)\)", "{0}: unexpected argument; {help}"),
    (r"Option '(.+)' requires an argument", "{0}: needs a value; {help}"),
    (r"Option '(.+)' does not take a value", "{0}: does not take a value; {help}"),
)
"""Typer's messages as regular expressions, and charrnn's."""
MIN_SIMILARITY = 0.7
"""How similar an option must be to be suggested, from 0 to 1."""
TYPES = {"int": "must be an integer", "float": "must be a number"}
"""What a value must be, by the start of the type of pydantic's error."""


def usage_message(error: Any) -> str:
    """Return the line for a usage error of typer (or of click, under older versions of typer)."""
    command = _command_of(error)
    advice = f"try `charrnn {command} --help`".replace("  ", " ")
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return f"{error.option_name}: no such option; {_option_advice(error, command) or advice}"
    if kind == "MissingParameter" and error.param.metavar in MISSING_ARGUMENTS:
        if any(word.startswith("--resume-from") for word in sys.argv):
            return f"{command}: no text given; pass the text that the checkpoint was trained on"
        return f"{command}: {MISSING_ARGUMENTS[error.param.metavar].format(command=command)}"
    if kind == "BadParameter" and error.param:
        return f"{_value_problem(error)}; {advice}"
    message: str = error.format_message()
    for pattern, line in MESSAGES:
        match = re.match(pattern, message)
        if match:
            return line.format(*match.groups(), help=OLD_OPTIONS.get((command, match[1]), advice))
    return f"{message.rstrip('.')}; {advice}"


def _command_of(error: Any) -> str:
    """Return the words of the command that was typed, without `charrnn`; typer does not always know it."""
    if error.ctx:
        return str(error.ctx.command_path).partition(" ")[2]
    words = sys.argv[1:]
    return next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in EXAMPLES), "")


def _option_advice(error: Any, command: str) -> str | None:
    """Return what to type in place of an option that was removed, or that is misspelled."""
    names = {option.lstrip("-"): option for option in error.possibilities or ()}
    similar = get_close_matches(error.option_name.lstrip("-"), names, n=1, cutoff=MIN_SIMILARITY)
    suggestion = f"did you mean {names[similar[0]]}?" if similar else None
    return OLD_OPTIONS.get((command, error.option_name)) or suggestion


def _value_problem(error: Any) -> str:
    """Return the option, its value, and what the value must be, as a configuration's check would."""
    option, cause = error.param.opts[0], error.__cause__
    details = cause.errors()[0] if hasattr(cause, "errors") else {}
    must_be = next((text for name, text in TYPES.items() if details.get("type", "").startswith(name)), None)
    return f"{option} {details['input']}: {must_be}" if must_be else f"{option}: {error.message.rstrip('.')}"
