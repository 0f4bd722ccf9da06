"""Command-line options made from configuration dataclasses, and options and arguments of several commands."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from charrnn.cli.shared import shell_completion
from charrnn.cli.shared.escapes import escaped, unescaped
from charrnn.config import (
    CompareConfig,
    CorpusConfig,
    ModelConfig,
    NgramConfig,
    OneOf,
    SamplingConfig,
    ScoreConfig,
    TrainingConfig,
    option_flags,
)

DeviceOption = Annotated[str, typer.Option("--device", help="Device: auto, cpu, cuda, cuda:1 or mps.")]
"""The device that a network runs on, for every command that has one; the default is auto."""

CheckpointArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Checkpoint: a name in checkpoints/, or a file (default: the newest in checkpoints/).",
        autocompletion=shell_completion.checkpoints,
        show_default=False,
    ),
]
"""The checkpoint that a command reads; see `checkpoints.find`."""

CheckpointsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Checkpoints: names in checkpoints/, or files (default: the newest in checkpoints/).",
        autocompletion=shell_completion.checkpoints,
        show_default=False,
    ),
]
"""The checkpoints of a command that reads several."""

TextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="FILE",
        help="Text to read: a file, a folder, a pattern, a known text, or - for standard input; repeatable "
        "(default: the text that the model was trained on).",
        autocompletion=shell_completion.texts,
        show_default=False,
    ),
]
"""The texts that a command reads with a model."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
"""JSON on standard output, for every command that has figures."""

TextEncoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help="Encoding of the text that is read; the one of the text that the model was trained on if not given.",
        show_default=False,
    ),
]
"""The option of every command that reads a text for a model."""

PANELS: dict[type, str] = {
    CorpusConfig: "Text",
    ModelConfig: "Model",
    NgramConfig: "Model",
    TrainingConfig: "Training",
    SamplingConfig: "Sampling",
    CompareConfig: "Comparison",
    ScoreConfig: "Scoring",
}
"""For each configuration, and those made from it, the heading of its options in `--help`."""


def expand_configs(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter of a command that is a configuration by the options of that configuration."""
    signature = inspect.signature(command, eval_str=True)
    configs = {p.name: p.annotation for p in signature.parameters.values() if _panel_of(p.annotation)}

    def wrapper(**values: Any) -> None:
        for name, config in configs.items():
            fields = {spec.name: _parse(spec, values.pop(spec.name)) for spec in dataclasses.fields(config)}
            values[name] = config(**fields)
        command(**values)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += (
            _parameters_of(parameter.annotation)
            if parameter.name in configs
            else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        )
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    for config in configs.values():
        if issubclass(config, SamplingConfig):
            wrapper.__doc__ = (command.__doc__ or "").replace("{filter_order}", config.filter_order())
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def explicit_options(context: typer.Context) -> frozenset[str]:
    """The names of the parameters that were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in sources.items() if source and source.name == "COMMANDLINE")


def diff_as_options(before: Any, after: Any) -> str:
    """The options that turn a configuration into another one of its class, as they are typed."""
    pairs = (
        (option_flags(spec)[0], getattr(before, spec.name), getattr(after, spec.name))
        for spec in dataclasses.fields(before)
    )
    return " ".join(f"{flag} {new}" for flag, old, new in pairs if new != old and new is not None)


def format_option(spec: dataclasses.Field[Any], value: Any) -> str:
    """The value of a field as it is typed."""
    return f"'{escaped(value)}'" if spec.metadata["escapes"] and isinstance(value, str) else str(value)


def _parse(spec: dataclasses.Field[Any], value: Any) -> Any:
    """The value of a field from what was typed."""
    if isinstance(value, list):
        return tuple(_parse(spec, item) for item in value)
    return unescaped(value) if spec.metadata["escapes"] and value is not None else value


def _choices(spec: dataclasses.Field[Any]) -> Callable[[str], list[str]] | None:
    """The shell completion of a field with a list of choices."""
    check = spec.metadata["check"]
    if not isinstance(check, OneOf):
        return None
    choices = check.choices
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _panel_of(config: Any) -> str | None:
    """The heading of a configuration; None of anything else."""
    bases = inspect.getmro(config) if inspect.isclass(config) else ()
    return next((PANELS[base] for base in bases if base in PANELS), None)


def _parameters_of(config: type) -> list[inspect.Parameter]:
    types = typing.get_type_hints(config)
    for name, kind in types.items():
        if typing.get_origin(kind) is tuple:  # typer has lists for options that may be repeated
            types[name] = list[typing.get_args(kind)[0]]  # type: ignore[misc]
    return [
        inspect.Parameter(
            spec.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=list(spec.default) if isinstance(spec.default, tuple) else spec.default,
            annotation=Annotated[
                types[spec.name],
                typer.Option(
                    *option_flags(spec),
                    help=spec.metadata["help"],
                    rich_help_panel=_panel_of(config),
                    autocompletion=_choices(spec),
                    show_default=spec.default is not None and spec.default is not False and spec.default != (),
                ),
            ],
        )
        for spec in dataclasses.fields(config)
    ]
