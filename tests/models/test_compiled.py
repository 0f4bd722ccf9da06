"""The library of C kernels: found, made, shared, and done without."""

import os
from pathlib import Path

import pytest
import torch
from processes import run_together

from charrnn.models.kernels import compiled
from charrnn.models.kernels.scan import scan

found_anew = compiled._found.__wrapped__
needs_compiler = pytest.mark.skipif(compiled.library() is None, reason="no C compiler with OpenMP")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Sources that are compiled in a moment."""
    sources = [tmp_path / "one.c", tmp_path / "two.c"]
    for source in sources:
        source.write_text(f"int {source.stem}(void) {{ return 1; }}\n", encoding="utf-8")
    monkeypatch.setattr(compiled, "_sources", lambda: sources)
    return sources


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "charrnn"


def fake_compiler(folder: Path, script: str) -> Path:
    path = folder / "cc"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_switch_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")
    assert compiled.library() is None
    ones = torch.ones(1, 3, 2)
    assert scan(ones, ones, torch.zeros(1, 2))[0, :, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.usefixtures("cache")
def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert found_anew() is None


@pytest.mark.parametrize(
    "script",
    [
        "echo internal compiler error >&2; exit 1",
        "exit 0",
        'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"',
    ],
    ids=["fails", "writes nothing", "writes nonsense"],
)
def test_a_broken_compiler(script: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert found_anew() is None
    assert not list(cache.glob("*")), "nothing broken is kept for the next time"


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert found_anew() is None


@needs_compiler
@pytest.mark.usefixtures("tiny")
def test_it_is_compiled_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_anew() is not None
    (library,) = cache.iterdir()
    first = library.stat().st_mtime_ns
    assert found_anew() is not None
    assert library.stat().st_mtime_ns == first
    monkeypatch.setattr(compiled, "_processor", lambda: "another")
    assert found_anew() is not None
    assert len(list(cache.iterdir())) == 2


def compile_into(rank: int, size: int, port: int, folder: Path, sources: list[Path]) -> None:
    """What each of some processes does."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    compiled._sources = lambda: sources
    assert found_anew() is not None


@needs_compiler
def test_processes_may_compile_at_once(tmp_path: Path, tiny: list[Path]) -> None:
    run_together(2, compile_into, tmp_path, tiny)
    assert len(list((tmp_path / "charrnn").iterdir())) == 1


def test_threads_are_those_of_pytorch_and_worth_their_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    large = 10 * compiled.GRAIN
    assert compiled.threads(100, large) == 4
    assert compiled.threads(3, large) == 3
    assert compiled.threads(100, 2 * compiled.GRAIN) == 2
    assert compiled.threads(100, 5) == 1
