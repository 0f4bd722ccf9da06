"""The texts that `charrnn train NAME` can fetch by name: to add one, make its `KnownText` and list it here."""

from __future__ import annotations

from pathlib import Path

from charrnn.paths import DATA_FOLDER
from charrnn.text.datasets.known_text import KnownText
from charrnn.text.datasets.python_stdlib import PYTHON
from charrnn.text.datasets.shakespeare import SHAKESPEARE, TINY_SHAKESPEARE

KNOWN_TEXTS = {text.name: text for text in (SHAKESPEARE, TINY_SHAKESPEARE, PYTHON)}
"""By name."""


def find_known_text(name: str) -> KnownText | None:
    """The known text that a user's `name` means: its name or file name, bare or in data/."""
    path = Path(name)
    if path.parent not in (Path(), DATA_FOLDER):
        return None
    return KNOWN_TEXTS.get(path.name.removesuffix(".txt"))
