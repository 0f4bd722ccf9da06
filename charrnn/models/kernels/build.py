"""The kernels in C (`native/`): compiled at first use by the C compiler that is found, kept in the user's cache.

Where there is no compiler, where it fails, or where the environment variable CHARRNN_COMPILE is 0, there is no library,
and the callers go PyTorch's way. This module knows no operation. It goes through ctypes: the C files take a second to
compile, where torch.utils.cpp_extension reads all of PyTorch's headers first.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

SWITCH = "CHARRNN_COMPILE"
"""The environment variable: 0 leaves C alone."""
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-march=native", "-fPIC", "-fopenmp", "-w")
"""Without OpenMP there is no library: one thread in C loses to all threads of PyTorch. The OpenMP that PyTorch has
loaded is taken, and its threads with it: two pools would wait in each other's way."""
WITHOUT_AVX512 = "-mno-avx512f"
"""Added where PyTorch uses no AVX-512 though the processor may have it, so that all of a process computes alike."""
COMPILE_TIMEOUT = 120
"""After which a compiler is given up."""

SLOWER = f"GRU, RNN, minGRU, minLSTM and writing are slower ({SWITCH}=0 hides this line)"
"""What a notice says where there is no library."""

GRAIN_SIZE = 32768
"""Elements for each thread at least, as in PyTorch's own operations."""

_lock = threading.Lock()
_notices: dict[str, str] = {}


def add_notice(subject: str, message: str) -> None:
    """Keep a line for the end of the command: what is slower on this machine than it need be. One for each subject."""
    _notices[subject] = message


def notices() -> list[str]:
    """The lines to show at the end of the command."""
    return list(_notices.values())


def native_library() -> ctypes.CDLL | None:
    """The compiled kernels, or None. The first call of a process looks for them, and may compile for a second."""
    if os.environ.get(SWITCH) == "0":
        return None
    with _lock:
        return _load_or_compile()


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor's numbers begin; null for None. The tensor must have a name of its own until it has been used."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def thread_count(rows: int, work: int) -> int:
    """How many threads to take: of PyTorch's, as many as there are rows, none for less than waking it costs.

    Args:
        rows: independent of each other.
        work: elements to compute.
    """
    return max(1, min(torch.get_num_threads(), rows, work // GRAIN_SIZE))


@functools.cache
def _load_or_compile() -> ctypes.CDLL | None:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        add_notice("compiler", f"no C compiler ({', '.join(COMPILERS)}) was found: {SLOWER}; install gcc")
        return None
    name, reason = f"kernels-{_key(compiler)}.so", ""
    try:
        path = cache_folder() / name
        return ctypes.CDLL(str(path)) if path.is_file() else _compile(compiler, path)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        reason = _first_error_line(error)
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:  # what is loaded may be deleted
            library = _compile(compiler, Path(folder) / name)
    except (OSError, subprocess.SubprocessError) as error:
        add_notice("compiler", f"the kernels in C cannot be used ({_first_error_line(error)}): {SLOWER}")
        return None
    add_notice(
        "compiler",
        f"the kernels in C were compiled for this command alone ({time.perf_counter() - started:.0f} s), for they "
        f"cannot be kept: {reason}; set XDG_CACHE_HOME to a folder of yours",
    )
    return library


def _first_error_line(error: Exception) -> str:
    """An error in a line; of a compiler its first."""
    lines = (getattr(error, "stderr", None) or b"").decode(errors="replace").splitlines()
    return next((line for line in lines if "error" in line.lower()), str(error))


def cache_folder() -> Path:
    """The folder for what this machine has made or found out: of this user alone, because what lies there is run.

    Raises:
        RuntimeError: it belongs to somebody else, or others may write to it; or nobody's home is known.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "charrnn"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
        raise RuntimeError(f"{folder} belongs to another user, or others may write to it")
    return folder


def _sources() -> list[Path]:
    return sorted((Path(__file__).parent / "native").iterdir())


def _flags() -> tuple[str, ...]:
    is_old = platform.machine() == "x86_64" and torch.backends.cpu.get_cpu_capability() != "AVX512"
    return (*FLAGS, WITHOUT_AVX512) if is_old else FLAGS


def _key(compiler: str) -> str:
    """Of all that the machine code depends on: a folder of users may be shared by machines."""
    digest = hashlib.sha256(repr((compiler, _flags(), platform.platform(), _processor())).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()[:24]


def _processor() -> str:
    """Its name and what it can, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    )


def _compile(compiler: str, path: Path) -> ctypes.CDLL:
    """Write the library beside its place and move it there when it loads, so that no process sees half of it."""
    sources, flags = [source for source in _sources() if source.suffix == ".c"], _flags()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [str(Path(folder) / f"{source.stem}.o") for source in sources]
        pairs = zip(sources, objects, strict=True)
        list(pool.map(_run, ([compiler, *flags, "-c", str(source), "-o", made] for source, made in pairs)))
        built = Path(folder) / path.name
        _run([compiler, *flags, "-shared", *objects, "-o", str(built), "-lm"])
        loaded = ctypes.CDLL(str(built))
        built.replace(path)
    return loaded


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMPILE_TIMEOUT)
