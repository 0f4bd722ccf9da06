"""Building the C kernels: found in the cache, compiled, shared between processes, or missing."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from processes import run_together

from charrnn.models.kernels import build
from charrnn.models.kernels.scan import scan

load_anew = build._load_or_compile.__wrapped__
needs_compiler = pytest.mark.skipif(build.native_library() is None, reason="no C compiler with OpenMP")


@pytest.fixture(autouse=True)
def own_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices about compilers must not appear in commands that other tests run in this process."""
    monkeypatch.setattr(build, "_notices", {})


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Sources that compile in a moment."""
    sources = [tmp_path / "one.c", tmp_path / "two.c"]
    for source in sources:
        source.write_text(f"int {source.stem}(void) {{ return 1; }}\n", encoding="utf-8")
    monkeypatch.setattr(build, "_sources", lambda: sources)
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


def test_native_library_switched_off_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(build.SWITCH, "0")
    assert build.native_library() is None
    ones = torch.ones(1, 3, 2)
    assert scan(ones, ones, torch.zeros(1, 2))[0, :, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.usefixtures("cache")
def test_native_library_without_compiler_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert load_anew() is None


@pytest.mark.parametrize(
    "script",
    [
        "echo internal compiler error >&2; exit 1",
        "exit 0",
        'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"',
    ],
    ids=["fails", "writes nothing", "writes nonsense"],
)
def test_native_library_with_broken_compiler_is_none_and_caches_nothing(
    script: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_compiler(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert load_anew() is None
    assert not list(cache.glob("*")), "nothing broken is kept for the next time"


def no_folder(cache: Path) -> None:
    """The cache folder is a file; read-only and full disks fail in the same way."""
    cache.write_text("no folder", encoding="utf-8")


def of_others(cache: Path) -> None:
    """Others can write to the cache folder, so its code is not executed."""
    cache.mkdir()
    cache.chmod(0o777)
    for name in {f"kernels-{build._key(path)}.so" for path in map(shutil.which, build.COMPILERS) if path}:
        (cache / name).write_bytes(b"somebody else's")


def not_executable(cache: Path) -> None:
    """The library cannot be loaded, as on a disk that is mounted noexec."""
    cache.mkdir(mode=0o700)
    for name in {f"kernels-{build._key(path)}.so" for path in map(shutil.which, build.COMPILERS) if path}:
        (cache / name).write_bytes(b"\x7fELF")


@needs_compiler
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("spoil", [no_folder, of_others, not_executable])
def test_native_library_with_unusable_cache_is_compiled_for_this_process(
    spoil: Callable[[Path], None], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled for this process only, with a notice; nothing is left behind."""
    monkeypatch.setattr(build, "_notices", {})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    spoil(cache)
    library = load_anew()
    assert library is not None
    assert library.one() == 1
    assert not list(temporary.iterdir())
    assert "were compiled for this command only" in str(build.notices())


def test_cache_folder_without_home_raises_runtime_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(RuntimeError, match="home"):
        build.cache_folder()


def test_compiler_flags_allow_the_instructions_of_pytorch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise ATEN_CPU_CAPABILITY=avx2 would not show what a machine with AVX2 only computes."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    flags = {}
    for used in ("AVX512", "AVX2"):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda used=used: used)
        flags[used] = build._flags()
    assert build.WITHOUT_AVX512 not in flags["AVX512"]
    assert build.WITHOUT_AVX512 in flags["AVX2"]
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert build._flags() == build.FLAGS


@needs_compiler
@pytest.mark.usefixtures("tiny")
def test_native_library_is_compiled_once_for_each_processor(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_anew() is not None
    (library,) = cache.iterdir()
    first = library.stat().st_mtime_ns
    assert load_anew() is not None
    assert library.stat().st_mtime_ns == first
    monkeypatch.setattr(build, "_processor", lambda: "another")
    assert load_anew() is not None
    assert len(list(cache.iterdir())) == 2


def compile_into(rank: int, size: int, port: int, folder: Path, sources: list[Path]) -> None:
    """Compile in one of several processes."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    build._sources = lambda: sources
    assert load_anew() is not None


@needs_compiler
def test_native_library_compiled_by_two_processes_is_cached_once(tmp_path: Path, tiny: list[Path]) -> None:
    run_together(2, compile_into, tmp_path, tiny)
    assert len(list((tmp_path / "charrnn").iterdir())) == 1


def test_thread_count_is_limited_by_pytorch_rows_and_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    large = 10 * build.GRAIN_SIZE
    assert build.thread_count(100, large) == 4
    assert build.thread_count(3, large) == 3
    assert build.thread_count(100, 2 * build.GRAIN_SIZE) == 2
    assert build.thread_count(100, 5) == 1
