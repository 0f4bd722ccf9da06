"""Files from names on the command line: a text here or in data/, a known text, a checkpoint, or - for stdin."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from charrnn.cli.shared.checkpoints import find_checkpoint
from charrnn.cli.shared.terminal import log, progress_bar, shell_quoted
from charrnn.errors import CheckpointError, TextError, UsageError
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER
from charrnn.text.datasets.known_text import KnownText, fetch
from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text
from charrnn.text.sources import PACKED, STANDARD_INPUT
from charrnn.torchrun import world_size

MAX_NAMES_SIZE = 1_000_000
"""The maximum size of all file names together, in bytes: a checkpoint stores them."""
FOREIGN_SUFFIXES = (".pt", ".pth", ".ckpt", ".t7")
"""The suffixes of other programs' checkpoints, which charrnn does not open; loading one explains why."""
MAX_LISTED = 1000
"""The maximum number of files of a folder that are compared with a misspelled name."""
MIN_SIMILARITY = 0.7
"""How similar the name of a text must be to be suggested, from 0 to 1."""
EMPTY_NAME = "''"
"""An empty name, as it is typed."""
PLAIN_SIZE = 4096
"""The number of bytes at the beginning of a file that decide whether it is plain text."""


def locate_texts(names: Sequence[str], option: str = "") -> tuple[Path, ...]:
    """Find the text files of several names, in order; a file that is named twice is read once.

    A name may be `-` for standard input. If there is no file of that name, it may be a pattern (*, ?, [...], and ** for
    nested folders), which means all files that match, sorted by name.

    Args:
        names: the names.
        option: the option that takes the names, for error messages.

    Raises:
        TextError: no file is found for a name or a pattern, or there are too many files.
        UsageError: a file is a checkpoint, standard input is named twice, or several processes would have to share it.
    """
    named = [path for name in names for path in _files_of(name, option)]
    paths = tuple(dict.fromkeys(named))
    if STANDARD_INPUT in paths:
        if world_size() > 1:
            raise UsageError("-: the processes of torchrun cannot share standard input; save the text to a file")
        if named.count(STANDARD_INPUT) > 1:
            raise UsageError("-: standard input can be read only once; pass - only once")
    if len(paths) < len(named):
        log(f"note: {len(named) - len(paths)} of the {len(named)} file names are duplicates, which are read only once")
    for path in paths:
        # A pipe must not be opened twice.
        if path.is_file() and looks_like_checkpoint(path) and not looks_like_text(path):
            raise UsageError(f"{path}: is a checkpoint, not a text; try `charrnn inspect {shell_quoted(path)}`")
    if len(json.dumps([str(path) for path in paths])) > MAX_NAMES_SIZE:
        raise TextError(f"{len(paths)} input files: too many to store their names; join them into one file with `cat`")
    return paths


def _files_of(name: str, option: str) -> Sequence[Path]:
    if name == str(STANDARD_INPUT):
        return [STANDARD_INPUT]
    exists = any(path.exists() for path in _places(name))
    if exists or not glob.has_magic(name):
        path = locate(name, option)
        return [path.absolute() if path == STANDARD_INPUT else path]
    for pattern in (_pattern(name), _pattern(str(DATA_FOLDER / name))):
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
        paths = [path for path in map(Path, matches) if path.is_file()]
        if paths:
            return paths
    raise TextError(f"{name}: not found, as a file or as a pattern, here or in {DATA_FOLDER}/; check the spelling")


def _pattern(name: str) -> str:
    """Escape the leading folders of a pattern that exist under exactly that name, as in `[2024] logs/*`."""
    parts = Path(name).parts
    for i in range(len(parts) - 1, 0, -1):
        folder = Path(*parts[:i])
        if folder.is_dir():
            return str(Path(glob.escape(str(folder)), *parts[i:]))
    return name


def _places(name: str) -> tuple[Path, ...]:
    """Return the paths where a text of this name may be, in the order of preference."""
    return Path(name), DATA_FOLDER / name, DATA_FOLDER / f"{name}.txt"


def locate(name: str, option: str = "") -> Path:
    """Find the file of a text: the name as a path, or that name in data/; a known text is fetched if it is in neither.

    Args:
        name: the name.
        option: the option that takes the name, for error messages.

    Raises:
        TextError: there is neither a file nor a known text of that name, or the name is a folder.
        UsageError: the name is that of a checkpoint.
    """
    for path in _places(name):
        if path.is_file():
            return path
    known = find_known_text(name)
    if known:
        return fetch_known(known)
    if name and any(path.is_dir() for path in _places(name)):
        pattern = f"{option} {shell_quoted(Path(name) / '*')}".lstrip()
        raise TextError(f"{name}: is a folder; pass its files, for example {pattern}")
    path = Path(name)
    if name and path.exists():
        return path  # a device: reading it explains what is wrong
    nearby = {
        Path(file).stem: file
        for file in (*(path.name for path in _files_in(DATA_FOLDER)), *map(str, _files_in(path.parent)), *KNOWN_TEXTS)
    }
    similar = [nearby[stem] for stem in get_close_matches(path.stem, nearby, cutoff=MIN_SIMILARITY)]
    if name and find_checkpoint(name).is_file():  # an exact name, which is a better guess than a similar one
        raise UsageError(f"{name}: is a checkpoint, not a text; try `charrnn inspect {shell_quoted(name)}`")
    advice = did_you_mean(similar) or f"texts that are fetched by name: {', '.join(KNOWN_TEXTS)}"
    raise TextError(f"{name or EMPTY_NAME}: not found, here or in {DATA_FOLDER}/; {advice}")


def _files_in(folder: Path) -> list[Path]:
    """Return the files in a folder, at most `MAX_LISTED`."""
    try:
        return [file for file in islice(folder.iterdir(), MAX_LISTED) if file.is_file()]
    except OSError:
        return []


def did_you_mean(similar: Sequence[str]) -> str:
    """Return a question that suggests similar names; "" if there are none."""
    return f"did you mean {' or '.join(filter(None, (', '.join(similar[:-1]), similar[-1])))}?" if similar else ""


def locate_checkpoint(name: str | None, advice: str) -> Path:
    """Find the file of a checkpoint as `find_checkpoint` does; None: the newest checkpoint.

    Args:
        name: the name or path.
        advice: what to type if the name is that of a text.

    Raises:
        UsageError: the file is not a checkpoint, or there is a text of that name.
        CheckpointError: there is no such file, but checkpoints/ has similar names.
    """
    path = find_checkpoint(name)
    if name is None:
        return path
    if not name:
        raise CheckpointError(f"{EMPTY_NAME}: not found; pass the name of a checkpoint, or none for the newest one")
    if glob.has_magic(name) and not path.exists() and _means_checkpoints(name):
        raise UsageError(f"{name}: checkpoints cannot be given as a pattern; pass names, or remove the quotes")
    if _is_text(name):
        raise UsageError(f"{name} is a text, not a checkpoint; {advice}")
    if path.is_file() and _beginning(path) is not None and not looks_like_checkpoint(path):
        raise UsageError(f"{name}: not a checkpoint; pass a {CHECKPOINT_SUFFIX} file that charrnn has written")
    if not path.exists():
        known = [file.name.removesuffix(CHECKPOINT_SUFFIX) for file in CHECKPOINT_FOLDER.glob(f"*{CHECKPOINT_SUFFIX}")]
        similar = get_close_matches(path.name.removesuffix(CHECKPOINT_SUFFIX), known)
        if similar:
            raise CheckpointError(f"{name}: not found; {did_you_mean(similar)}")
    return path


def locate_checkpoints(names: Sequence[str], command: str) -> list[Path]:
    """Find the files of checkpoints, or of the newest checkpoint, for a command that takes texts with --text."""
    texts = list(filter(_is_text, names))
    models = [name for name in names if name not in texts] or ["NAME"]
    words = [*map(shell_quoted, models), *(f"--text {shell_quoted(name)}" for name in texts)]
    advice = f"try `charrnn {command} {' '.join(words)}`"
    return [locate_checkpoint(name, advice) for name in names] or [find_checkpoint(None)]


def _means_checkpoints(pattern: str) -> bool:
    """Whether a pattern is for checkpoint files rather than texts."""
    matches = map(Path, glob.glob(_pattern(pattern)))  # noqa: PTH207  # Path.glob takes no absolute pattern
    return pattern.endswith(CHECKPOINT_SUFFIX) or any(looks_like_checkpoint(path) for path in matches if path.is_file())


def _is_text(name: str) -> bool:
    """Whether the name of a checkpoint is that of a text."""
    path = find_checkpoint(name)
    if path.is_file():
        return not looks_like_checkpoint(path) and looks_like_text(path)
    return is_local(name) or bool(find_known_text(name)) or name == str(STANDARD_INPUT) or glob.has_magic(name)


def looks_like_checkpoint(path: Path) -> bool:
    """Whether a file has the suffix of a checkpoint, or begins like one: with the length of a header in JSON."""
    has_suffix = path.suffix in (CHECKPOINT_SUFFIX, *FOREIGN_SUFFIXES)
    return has_suffix or (_beginning(path) or b"")[3:9] == b"\0\0\0\0\0{"


def looks_like_text(path: Path) -> bool:
    """Whether a file begins like a text: compressed, or without zero bytes and the signature of another format."""
    beginning = _beginning(path)
    if beginning is None:
        return False
    if any(pattern.match(beginning) for pattern in PACKED.values()):
        return True
    from charrnn.text.decode import reject_non_text

    try:
        reject_non_text(path.name, beginning)
    except TextError:
        return False
    return b"\0" not in beginning


def _beginning(path: Path) -> bytes | None:
    """Return the first bytes of a file; None if it cannot be read, which loading it explains."""
    try:
        with path.open("rb") as file:
            return file.read(PLAIN_SIZE)
    except OSError:
        return None


def fetch_known(text: KnownText) -> Path:
    """Fetch a known text into data/, with a progress bar; return its path."""
    path = DATA_FOLDER / text.file_name
    log(f"fetching {text.name} ({text.source}) into {path}")
    with progress_bar(None, text.name, "B") as shown:
        for step in fetch(text, DATA_FOLDER):
            shown.total, shown.unit = step.total, step.unit
            shown.update(step.done - shown.n)
    return path


def is_local(name: str) -> bool:
    """Whether a text can be read without fetching it."""
    return any(path.is_file() for path in _places(name))
