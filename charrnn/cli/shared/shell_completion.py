"""What the shell offers when a name is typed and Tab is pressed: checkpoints, texts, files. Loads nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from charrnn.lab.catalogue import EXPERIMENTS

COMPLETE = "_CHARRNN_COMPLETE"
"""The environment variable by which a shell asks."""
CHECKPOINTS, SUFFIX = Path("checkpoints"), ".safetensors"
DATA = Path("data")


def checkpoints(incomplete: str) -> list[str]:
    """Names in checkpoints/, and files."""
    names = (path.name.removesuffix(SUFFIX) for path in _entries(CHECKPOINTS) if path.suffix == SUFFIX)
    return _offered(incomplete, names, SUFFIX)


def known_texts(incomplete: str) -> list[str]:
    """Texts that can be fetched."""
    from charrnn.text.datasets.registry import KNOWN_TEXTS

    return [name for name in KNOWN_TEXTS if name.startswith(incomplete)]


def experiments(incomplete: str) -> list[str]:
    """What `charrnn lab` can run."""
    return [name for name in EXPERIMENTS if name.startswith(incomplete)]


def texts(incomplete: str) -> list[str]:
    """Names in data/, known texts, and files."""
    names = (path.name for path in _entries(DATA) if path.name != "README.md")
    return _offered(incomplete, (*names, *known_texts(incomplete)), "")


def texts_and_checkpoints(incomplete: str) -> list[str]:
    """Both."""
    return sorted({*texts(incomplete), *checkpoints(incomplete)})


def _offered(incomplete: str, names: Iterable[str], suffix: str) -> list[str]:
    """The names that begin so; and the files and folders that do."""
    folder, begin = os.path.split(incomplete)
    found = {name for name in names if not name.startswith(".")}
    for path in _entries(Path(folder)):
        name = os.path.join(folder, path.name)  # noqa: PTH118  # which keeps a ./ that was typed
        if path.is_dir():
            found.add(f"{name}/")
        elif path.name.endswith(suffix) and (begin.startswith(".") or not path.name.startswith(".")):
            found.add(name)
    return sorted(name for name in found if name.startswith(incomplete))


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return
