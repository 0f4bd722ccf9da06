"""The sources of the Python that runs this: a text that needs no network."""

from __future__ import annotations

import sysconfig
import tokenize
from pathlib import Path

from charrnn.errors import TextError
from charrnn.text.datasets.known_text import FetchProgress, KnownText, Pieces

_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"}


def _python() -> Pieces:
    """Every source of this Python's standard library but its tests, in the order of the paths.

    A file that does not decode as it says it is encoded, or cannot be read, is left out.
    """
    library = Path(sysconfig.get_path("stdlib"))
    paths = {path.relative_to(library): path for path in library.rglob("*.py")}
    relative = sorted((path for path in paths if _NOT_LIBRARY.isdisjoint(path.parts[:-1])), key=Path.as_posix)
    if not relative:
        raise TextError(f"{library} has no Python sources; bring a text of your own")
    for done, path in enumerate(relative, start=1):
        try:
            with tokenize.open(paths[path]) as file:
                source = file.read() + "\n"
        except (SyntaxError, UnicodeDecodeError, OSError):
            source = ""
        yield source.encode(), FetchProgress(done, len(relative), "files", path.as_posix())


PYTHON = KnownText(
    "python",
    source="the standard library of the Python that runs this",
    licence="PSF-2.0",
    size=None,
    sha256=None,
    pieces=_python,
)
"""The standard library without its tests."""
