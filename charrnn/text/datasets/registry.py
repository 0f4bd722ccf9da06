"""The texts that `charrnn train NAME` can fetch by name. To add one, create its `KnownText` and list it here."""

from __future__ import annotations

from pathlib import Path

from charrnn.paths import DATA_FOLDER
from charrnn.text.datasets.known_text import KnownText
from charrnn.text.datasets.names import NAMES
from charrnn.text.datasets.python_stdlib import PYTHON
from charrnn.text.datasets.shakespeare import SHAKESPEARE, TINY_SHAKESPEARE

KNOWN_TEXTS = {text.name: text for text in (SHAKESPEARE, TINY_SHAKESPEARE, PYTHON, NAMES)}
"""All known texts by name."""


def find_known_text(name: str) -> KnownText | None:
    """Return the known text for a user's `name`: a text's name or file name, alone or in data/."""
    path = Path(name)
    if path.parent not in (Path(), DATA_FOLDER):
        return None
    return KNOWN_TEXTS.get(path.name.removesuffix(".txt"))
