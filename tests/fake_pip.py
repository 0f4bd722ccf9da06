"""A `pip download` that needs no network: it gives the wheel that a test made."""

import importlib.metadata
import importlib.util
import io
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest


def replace_pip(
    monkeypatch: pytest.MonkeyPatch, requirement: str, run_pip: Callable[[Path], subprocess.CompletedProcess[str]]
) -> None:
    """Make every package appear uninstalled; `pip download` calls `run_pip` with the folder it gets."""

    def not_installed(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    def fake(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[2:5] == ["-m", "pip", "download"]
        assert command[-1] == requirement
        return run_pip(Path(command[command.index("--dest") + 1]))

    monkeypatch.setattr(importlib.metadata, "distribution", not_installed)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", fake)


def replace_download(monkeypatch: pytest.MonkeyPatch, requirement: str, files: Mapping[str, str]) -> bytes:
    """Let `pip download` give a wheel of these files; return its content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    content = packed.getvalue()

    def download(folder: Path) -> subprocess.CompletedProcess[str]:
        (folder / f"{requirement.replace('==', '-')}-py3-none-any.whl").write_bytes(content)
        return subprocess.CompletedProcess([], 0, "", "")

    replace_pip(monkeypatch, requirement, download)
    return content
