"""Options and arguments that several commands share, and their shell completion. Loads nothing heavy."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.config import MAX_INT
from charrnn.config.option import int_range
from charrnn.config.sampling import UNKNOWN_HELP, UNKNOWN_POLICIES
from charrnn.errors import UsageError
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER

COMPLETE_VARIABLE = "_CHARRNN_COMPLETE"
"""The environment variable that a shell sets to request completions."""


def complete_from(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return the shell completion for a set of names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def complete_checkpoints(incomplete: str) -> list[str]:
    """Complete names in checkpoints/, and checkpoint files."""
    names = (path.stem for path in _entries(CHECKPOINT_FOLDER) if path.suffix == CHECKPOINT_SUFFIX)
    return _matches(incomplete, names, CHECKPOINT_SUFFIX)


def complete_known_texts(incomplete: str) -> list[str]:
    """Complete the names of texts that can be fetched."""
    from charrnn.text.datasets.registry import KNOWN_TEXTS

    return complete_from(KNOWN_TEXTS)(incomplete)


def complete_texts(incomplete: str) -> list[str]:
    """Complete names in data/, known texts, and files."""
    names = (path.name for path in _entries(DATA_FOLDER) if path.name != "README.md")
    return _matches(incomplete, (*names, *complete_known_texts(incomplete)), "")


def _matches(incomplete: str, names: Iterable[str], suffix: str) -> list[str]:
    """Return the names, files and folders that start with the incomplete word; hidden files only after a dot."""
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


def advanced(subject: str) -> str:
    """Return the title of the `--help` panel for the less common options of a subject."""
    return f"Advanced: {subject}"


def in_panel(option: Any, subject: str) -> Any:
    """Return a copy of an option for the "Advanced" panel of a subject."""
    moved = copy.copy(option)
    moved.rich_help_panel = advanced(subject)
    return moved


JSON = typer.Option("--json", help="Print the result as JSON.")
UNKNOWN = typer.Option("--unknown", help=UNKNOWN_HELP, metavar="|".join(UNKNOWN_POLICIES))
ENCODING = typer.Option("--encoding", help="Encoding of the text to read (default: as in training).", metavar="NAME")
DeviceOption = Annotated[
    str, typer.Option("--device", help="Device to use: auto, cpu, cuda, cuda:1 or mps.", metavar="DEVICE")
]
JsonOption = Annotated[bool, JSON]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
EncodingOption = Annotated[str | None, ENCODING]


def text_option(default: str, purpose: str = "Text to read") -> Any:
    """Return the option --text; `default` describes the text that is read without the option."""
    return typer.Option(
        "--text",
        metavar="FILE",
        help=f"{purpose}: a file, a pattern such as 'novels/*.txt', a known text, or - for standard input "
        f"(repeatable; default: {default}).",
        autocompletion=complete_texts,
    )


TextOption = Annotated[list[str] | None, text_option("the training text")]
TextsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT",
        help="Text files, read as one text: file names, patterns such as 'novels/*.txt', known texts (see `charrnn "
        "data`), or - for standard input. Files that end with .gz, .bz2 or .xz are decompressed.",
        autocompletion=complete_texts,
    ),
]
CheckpointArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Checkpoint: a name in checkpoints/ or a file (default: the newest one in checkpoints/).",
        autocompletion=complete_checkpoints,
    ),
]


def checkpoints_argument(default: str = "the newest one in checkpoints/") -> Any:
    """Return the argument of a command that takes several checkpoints."""
    return typer.Argument(
        metavar="NAME",
        help=f"Checkpoints: names in checkpoints/ or files (default: {default}).",
        autocompletion=complete_checkpoints,
    )


CheckpointsArgument = Annotated[list[str] | None, checkpoints_argument()]


def check_range(low: int, high: int = MAX_INT) -> Callable[..., int | None]:
    """Return a callback that checks an option's integer, with the error message of `int_range`."""
    check = int_range(low, high)

    def callback(parameter: typer.CallbackParam, value: int | None) -> int | None:
        problem = None if value is None else check(value)
        if problem:
            raise UsageError(f"{parameter.opts[0]} {value}: {problem}")
        return value

    return callback


def refuse_encoding(encoding: str | None, applies_to: str) -> None:
    """Raise UsageError if `--encoding` is given without the option it applies to, such as `--prime-file`."""
    if encoding is not None:
        raise UsageError(f"--encoding {encoding}: has no effect without {applies_to}; remove it")
