r"""Command-line options made from the fields of configurations, and escape sequences such as \n in their values."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import typing
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from charrnn.cli.shared.help import FIRST_OPTIONS
from charrnn.cli.shared.options import advanced, complete_from
from charrnn.config import OneOf, SamplingConfig, ValidatedConfig, option_flags
from charrnn.errors import UsageError

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_NAMES = {character: f"\\{letter}" for letter, character in _LETTERS.items()}
_KNOWN = r"use \n for a line end, \\ for a backslash, or \t, \r, \0, \xNN, \uNNNN, \UNNNNNNNN"
_METAVARS = {int: "N", float: "X", str: "TEXT"}
_MAX_CHOICES_WIDTH = 18
"""The longest list of choices, in characters, that `--help` shows as a metavar; longer ones are in the help text."""


def expand_configs(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each configuration among the parameters of a command with one parameter per option."""
    signature = inspect.signature(command, eval_str=True)
    configs: dict[str, type[ValidatedConfig]] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if inspect.isclass(parameter.annotation) and issubclass(parameter.annotation, ValidatedConfig)
    }

    def wrapper(**values: Any) -> None:
        for name, config in configs.items():
            fields = {spec.name: _parse(spec, values.pop(spec.name)) for spec in dataclasses.fields(config)}  # type: ignore[arg-type]
            values[name] = config(**fields)
        command(**values)

    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        is_config = name in configs
        parameters += _parameters_of(configs[name]) if is_config else [parameter.replace(kind=parameter.KEYWORD_ONLY)]
    first = FIRST_OPTIONS.get(command.__name__, ())
    parameters.sort(key=lambda parameter: first.index(parameter.name) if parameter.name in first else len(first))
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    for config in configs.values():
        if issubclass(config, SamplingConfig):
            wrapper.__doc__ = (command.__doc__ or "").replace("{filter_order}", config.filter_order())
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def explicit_options(context: typer.Context) -> frozenset[str]:
    """Return the names of the parameters that were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in sources.items() if source and source.name == "COMMANDLINE")


def diff_as_options(before: Any, after: Any) -> str:
    """Return the options, as typed, that turn one configuration into another of the same class."""
    pairs = (
        (option_flags(spec)[0], getattr(before, spec.name), getattr(after, spec.name))
        for spec in dataclasses.fields(before)
    )
    return " ".join(f"{flag} {new}" for flag, old, new in pairs if new != old and new is not None)


def format_option(spec: dataclasses.Field[Any], value: Any) -> str:
    """Return the value of a field as typed on the command line."""
    return f"'{escaped(value)}'" if spec.metadata["escapes"] and isinstance(value, str) else str(value)


def _parse(spec: dataclasses.Field[Any], value: Any) -> Any:
    """Return the value of a field from its command-line value."""
    if isinstance(value, list):
        return tuple(_parse(spec, item) for item in value)
    return unescaped(value) if spec.metadata["escapes"] and value is not None else value


def _parameters_of(config: type[ValidatedConfig]) -> list[inspect.Parameter]:
    types = typing.get_type_hints(config)
    parameters = []
    for spec in dataclasses.fields(config):  # type: ignore[arg-type]
        default, kind, check = spec.default, types[spec.name], spec.metadata["check"]
        metavar = spec.metadata["metavar"] or _default_metavar(kind, check)
        if isinstance(default, tuple):  # typer has lists for options that may be repeated
            default, kind = list(default), list[get_args(kind)[0]]  # type: ignore[misc]
        option = typer.Option(
            *option_flags(spec),
            help=spec.metadata["help"],
            metavar=metavar,
            rich_help_panel=None if spec.metadata["is_common"] else advanced(config.panel),
            autocompletion=complete_from(check.choices) if isinstance(check, OneOf) else None,
            show_default=default != [] and "default:" not in spec.metadata["help"],
        )
        parameters.append(
            inspect.Parameter(
                spec.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
            )
        )
    return parameters


def _default_metavar(kind: Any, check: object) -> str | None:
    """Return the name of an option's value: its choices, or a letter for its type."""
    if isinstance(check, OneOf) and len("|".join(check.choices)) <= _MAX_CHOICES_WIDTH:
        return "|".join(check.choices)
    return next((metavar for value_type, metavar in _METAVARS.items() if value_type in (kind, *get_args(kind))), None)


def unescaped(text: str) -> str:
    r"""Replace escape sequences with their characters: \n, \t, \r, \0, \\, \xNN, \uNNNN and \UNNNNNNNN.

    Raises:
        UsageError: an escape sequence is unknown, or its number is not that of a character.
    """
    return _ESCAPE.sub(_character, _as_utf8(text))


def _as_utf8(text: str) -> str:
    """Decode arguments as UTF-8 even in an ASCII locale, where Python turns other bytes into surrogates."""
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def escaped(text: str) -> str:
    """Return the inverse of `unescaped`: one line without control characters."""
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character in _NAMES:
        return _NAMES[character]
    point = ord(character)
    if unicodedata.category(character)[0] not in "CZ" or character == " ":
        return character
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        if match[4] not in _LETTERS:
            raise UsageError(f"{match[0]}: not an escape sequence; {_KNOWN}")
        return _LETTERS[match[4]]
    point = int(digits, 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise UsageError(f"{match[0]}: no such character; use a code point up to \\U0010ffff that is not a surrogate")
    return chr(point)
