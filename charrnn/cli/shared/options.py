"""Options and arguments that several commands have, and what a shell completes for them. Loads nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.config import MAX_INT
from charrnn.config.option import int_range
from charrnn.errors import UsageError
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER

COMPLETE_VARIABLE = "_CHARRNN_COMPLETE"
"""The environment variable that a shell sets to ask for completions."""


def complete_from(names: Iterable[str]) -> Callable[[str], list[str]]:
    """The shell completion of names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def complete_checkpoints(incomplete: str) -> list[str]:
    """Names in checkpoints/, and checkpoint files."""
    names = (path.stem for path in _entries(CHECKPOINT_FOLDER) if path.suffix == CHECKPOINT_SUFFIX)
    return _matches(incomplete, names, CHECKPOINT_SUFFIX)


def complete_known_texts(incomplete: str) -> list[str]:
    """Texts that can be fetched by name."""
    from charrnn.text.datasets.registry import KNOWN_TEXTS

    return complete_from(KNOWN_TEXTS)(incomplete)


def complete_texts(incomplete: str) -> list[str]:
    """Names in data/, known texts, and files."""
    names = (path.name for path in _entries(DATA_FOLDER) if path.name != "README.md")
    return _matches(incomplete, (*names, *complete_known_texts(incomplete)), "")


def _matches(incomplete: str, names: Iterable[str], suffix: str) -> list[str]:
    """The names, files and folders that begin with what is typed; hidden files only after a dot."""
    folder, prefix = os.path.split(incomplete)
    candidates = {name for name in names if not name.startswith(".")}
    for path in _entries(Path(folder)):
        name = os.path.join(folder, path.name)  # noqa: PTH118  # keeps a leading ./
        if path.is_dir():
            candidates.add(f"{name}/")
        elif path.name.endswith(suffix) and (prefix.startswith(".") or not path.name.startswith(".")):
            candidates.add(name)
    return sorted(name for name in candidates if name.startswith(incomplete))


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


DeviceOption = Annotated[str, typer.Option("--device", help="Device: auto, cpu, cuda, cuda:1 or mps.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
UnknownOption = Annotated[
    str,
    typer.Option(
        "--unknown", help="What to do with characters that the model does not know.", metavar="error|skip|replace"
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help="Encoding of the text that is read; the one of the text that the model was trained on if not given.",
    ),
]


def text_option(default: str) -> Any:
    """The option --text of a command that reads this by default."""
    return typer.Option(
        "--text",
        metavar="FILE",
        help="Text to read: a file, a pattern, a known text, or - for standard input; repeatable "
        f"(default: {default}).",
        autocompletion=complete_texts,
    )


TextOption = Annotated[list[str] | None, text_option("the text that the model was trained on")]
TextsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT",
        help="Text files, which are one text: names, patterns ('novels/*.txt'), known texts (see `charrnn data`), "
        "or - for standard input. Those that end with .gz, .bz2 or .xz need not be unpacked.",
        autocompletion=complete_texts,
    ),
]
CheckpointArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Checkpoint: a name in checkpoints/, or a file (default: the newest in checkpoints/).",
        autocompletion=complete_checkpoints,
    ),
]
CheckpointsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Checkpoints: names in checkpoints/, or files (default: the newest in checkpoints/).",
        autocompletion=complete_checkpoints,
    ),
]


def check_range(low: int, high: int = MAX_INT) -> Callable[..., int | None]:
    """The callback of an option that takes integers from `low` to `high`; typer's own check has another message."""
    check = int_range(low, high)

    def callback(parameter: typer.CallbackParam, value: int | None) -> int | None:
        problem = None if value is None else check(value)
        if problem:
            raise UsageError(f"{parameter.opts[0]} {value}: {problem}")
        return value

    return callback


def refuse_encoding(encoding: str | None, applies_to: str) -> None:
    """Raise UsageError where `--encoding` is given, but not the option that names a text, such as `--prime-file`."""
    if encoding is not None:
        raise UsageError(f"--encoding {encoding}: applies only to {applies_to}; remove it")
