"""Which file a name on the command line means: a text here or in data/, a known text, a checkpoint; - is stdin."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.shared.checkpoints import find_checkpoint
from charrnn.cli.shared.terminal import log, progress_bar, shell_quoted
from charrnn.errors import CheckpointError, TextError, UsageError
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER
from charrnn.text.datasets.known_text import KnownText, fetch
from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text
from charrnn.text.sources import STANDARD_INPUT
from charrnn.torchrun import world_size

if TYPE_CHECKING:
    pass

MAX_NAMES_SIZE = 1_000_000
"""The most bytes that the names of all files may have: a checkpoint stores them."""
FOREIGN_SUFFIXES = (".pt", ".pth", ".ckpt", ".t7")
"""The endings of other programs' checkpoints, which are not opened; reading them says why."""


def locate_texts(names: Sequence[str], option: str = "") -> tuple[Path, ...]:
    """The files that names mean, in their order; a file that is there twice is read once.

    `option` is what names are typed after, for messages.

    A name may be `-`, standard input; or a pattern (*, ?, [...], and ** for folders below) if there is no file of that
    name: the files that match, in the order of their names.

    Raises:
        TextError: a name or a pattern means no file; or there are too many.
        UsageError: several processes would have to share standard input.
    """
    named = [path for name in names for path in _files_of(name, option)]
    paths = tuple(dict.fromkeys(named))
    if STANDARD_INPUT in paths:
        if world_size() > 1:
            raise UsageError("-: with torchrun each process reads the text; save it to a file, and name that")
        if named.count(STANDARD_INPUT) > 1:
            raise UsageError("-: standard input can be read once; say it once")
    if len(paths) < len(named):
        log(f"{len(named) - len(paths)} of the {len(named)} files are there twice, and are read once")
    if len(json.dumps([str(path) for path in paths])) > MAX_NAMES_SIZE:
        raise TextError(f"{len(paths)} files are too many to be remembered; put them into one, with `cat`")
    return paths


def _files_of(name: str, option: str) -> Sequence[Path]:
    if name == str(STANDARD_INPUT):
        return [STANDARD_INPUT]
    is_there = any(path.exists() for path in _places(name))
    if is_there or not glob.has_magic(name):
        path = locate(name, option)
        return [path.absolute() if path == STANDARD_INPUT else path]
    for pattern in (_pattern(name), _pattern(str(DATA_FOLDER / name))):
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # those of Path take no absolute pattern
        paths = [path for path in map(Path, matches) if path.is_file()]
        if paths:
            return paths
    raise TextError(f"{name}: there is no such file, and none matches it, here or in {DATA_FOLDER}/; name one")


def _pattern(name: str) -> str:
    """A pattern whose first folders, if they are there by the name that is written, mean just that: `[2024] logs/*`."""
    parts = Path(name).parts
    for i in range(len(parts) - 1, 0, -1):
        folder = Path(*parts[:i])
        if folder.is_dir():
            return str(Path(glob.escape(str(folder)), *parts[i:]))
    return name


def _places(name: str) -> tuple[Path, ...]:
    return Path(name), DATA_FOLDER / name, DATA_FOLDER / f"{name}.txt"


def locate(name: str, option: str = "") -> Path:
    """The file that a name means: the path as it is, or that name in data/.

    A known text that is in neither place is fetched into data/ first.

    Raises:
        TextError: there is no such file, and no known text of that name; or it is a folder.
    """
    for path in _places(name):
        if path.is_file():
            return path
    known = find_known_text(name)
    if known:
        return fetch_known(known)
    if any(path.is_dir() for path in _places(name)):
        pattern = f"{option} {shell_quoted(Path(name) / '*')}".lstrip()
        raise TextError(f"{name}: is a folder; name its files, for example {pattern}")
    path = Path(name)
    if path.exists():
        return path  # a device: reading it says what is wrong
    raise TextError(
        f"{name}: there is no such file, here or in {DATA_FOLDER}/; "
        f"known texts, which are fetched by name: {', '.join(KNOWN_TEXTS)}"
    )


def locate_checkpoint(name: str | None, advice: str) -> Path:
    """The file of a checkpoint as `find_checkpoint` finds it; the newest one of None.

    Raises:
        UsageError: the name is that of a text; `advice` says what to type.
        CheckpointError: there is no such file, but names in checkpoints/ are like it.
    """
    path = find_checkpoint(name)
    if name is None:
        return path
    if _is_text(name):
        raise UsageError(f"{name} is a text, not a checkpoint; {advice}")
    if not path.exists():
        known = [file.name.removesuffix(CHECKPOINT_SUFFIX) for file in CHECKPOINT_FOLDER.glob(f"*{CHECKPOINT_SUFFIX}")]
        similar = get_close_matches(path.name.removesuffix(CHECKPOINT_SUFFIX), known)
        if similar:
            raise CheckpointError(f"{name}: there is no such file; did you mean {' or '.join(similar)}?")
    return path


def locate_checkpoints(names: Sequence[str], command: str) -> list[Path]:
    """The files of checkpoints, or of the newest one, for a command that takes texts with --text."""
    texts = list(filter(_is_text, names))
    models = [name for name in names if name not in texts] or ["NAME"]
    words = [*map(shell_quoted, models), *(f"--text {shell_quoted(name)}" for name in texts)]
    advice = f"try `charrnn {command} {' '.join(words)}`"
    return [locate_checkpoint(name, advice) for name in names] or [find_checkpoint(None)]


def _is_text(name: str) -> bool:
    """Whether the name of a checkpoint is that of a text."""
    path = find_checkpoint(name)
    if path.is_file():
        return not looks_like_checkpoint(path)
    return is_local(name) or bool(find_known_text(name)) or name == str(STANDARD_INPUT) or glob.has_magic(name)


def refuse_checkpoints(names: Sequence[str]) -> None:
    """Raise UsageError where one of the texts to be read is a checkpoint."""
    for name in names:
        path = next((path for path in _places(name) if path.is_file()), find_checkpoint(name))
        if path.is_file() and looks_like_checkpoint(path):
            raise UsageError(f"{name} is a checkpoint; try `charrnn inspect {shell_quoted(name)}`")


def looks_like_checkpoint(path: Path) -> bool:
    """Whether a file has a checkpoint's ending, or begins like one: with the length of a header in JSON."""
    if path.suffix in (CHECKPOINT_SUFFIX, *FOREIGN_SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            return file.read(9)[3:] == b"\0\0\0\0\0{"
    except OSError:
        return False  # reading it says what is wrong


def fetch_known(text: KnownText) -> Path:
    """Fetch a known text into data/, with a progress bar."""
    path = DATA_FOLDER / text.file_name
    log(f"fetching {text.name} ({text.source}) into {path}")
    with progress_bar(None, text.name, "B") as shown:
        for step in fetch(text, DATA_FOLDER):
            shown.total, shown.unit = step.total, step.unit
            shown.update(step.done - shown.n)
    return path


def is_local(name: str) -> bool:
    """Whether a text can be read without being fetched."""
    return any(path.is_file() for path in _places(name))
