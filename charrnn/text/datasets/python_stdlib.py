"""The source code of the running Python's standard library: a text that needs no download."""

from __future__ import annotations

import sysconfig
import tokenize
from pathlib import Path

from charrnn.errors import TextError
from charrnn.text.datasets.known_text import FetchProgress, KnownText, Pieces

_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"}
"""Folders that are not part of the library, or are its tests."""


def _python() -> Pieces:
    """Yield every source file of the standard library except its tests, ordered by path.

    Files that cannot be read, or do not match their declared encoding, are left out.
    """
    library = Path(sysconfig.get_path("stdlib"))
    paths = {path.relative_to(library): path for path in library.rglob("*.py")}
    relative = sorted((path for path in paths if _NOT_LIBRARY.isdisjoint(path.parts[:-1])), key=Path.as_posix)
    if not relative:
        raise TextError(f"{library}: contains no Python sources; use a text of your own")
    for done, path in enumerate(relative, start=1):
        try:
            with tokenize.open(paths[path]) as file:
                source = file.read() + "\n"
        except (SyntaxError, UnicodeDecodeError, OSError):
            source = ""
        yield source.encode(), FetchProgress(done, len(relative), "files", path.as_posix())


PYTHON = KnownText(
    "python",
    source="standard library of the running Python",
    licence="PSF-2.0",
    size=None,
    sha256=None,
    pieces=_python,
)
"""The Python standard library without its tests."""
