"""Shell completion of checkpoints, texts and experiments. Loads nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from charrnn.lab.catalogue import EXPERIMENTS
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER

COMPLETE_VARIABLE = "_CHARRNN_COMPLETE"
"""The environment variable that a shell sets to ask for completions."""


def checkpoints(incomplete: str) -> list[str]:
    """Names in checkpoints/, and checkpoint files."""
    names = (path.stem for path in _entries(CHECKPOINT_FOLDER) if path.suffix == CHECKPOINT_SUFFIX)
    return _matches(incomplete, names, CHECKPOINT_SUFFIX)


def known_texts(incomplete: str) -> list[str]:
    """Texts that can be fetched by name."""
    from charrnn.text.datasets.registry import KNOWN_TEXTS

    return [name for name in KNOWN_TEXTS if name.startswith(incomplete)]


def experiments(incomplete: str) -> list[str]:
    """Experiments of `charrnn lab`."""
    return [name for name in EXPERIMENTS if name.startswith(incomplete)]


def texts(incomplete: str) -> list[str]:
    """Names in data/, known texts, and files."""
    names = (path.name for path in _entries(DATA_FOLDER) if path.name != "README.md")
    return _matches(incomplete, (*names, *known_texts(incomplete)), "")


def texts_and_checkpoints(incomplete: str) -> list[str]:
    """Texts and checkpoints."""
    return sorted({*texts(incomplete), *checkpoints(incomplete)})


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
