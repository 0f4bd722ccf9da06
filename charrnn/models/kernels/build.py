"""Building the C kernels (`native/`): compiled at first use, cached in the user's cache folder.

Without a C compiler, if compiling fails, or with the environment variable CHARRNN_COMPILE=0, there is no library and
callers use PyTorch instead. The library is loaded with ctypes, because compiling the C files takes one second, whereas
torch.utils.cpp_extension would first read all of PyTorch's headers.
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
"""The environment variable that disables the C kernels if it is 0."""
COMPILERS = ("cc", "gcc", "clang")
"""The C compilers to look for, in this order."""
FLAGS = ("-O3", "-march=native", "-fPIC", "-fopenmp", "-w")
"""The compiler flags. OpenMP is required, because one thread of C is slower than all threads of PyTorch. PyTorch's
loaded OpenMP and its threads are shared; two thread pools would compete for the cores."""
WITHOUT_AVX512 = "-mno-avx512f"
"""The additional flag if PyTorch does not use AVX-512 (even if the processor has it), for consistent results."""
COMPILE_TIMEOUT = 120
"""The time limit for the compiler, in seconds."""

SLOWER = "GRU, RNN, minGRU, minLSTM and sampling are slower"
"""The consequence of a missing library, for notices."""
HIDE = f"set {SWITCH}=0 to hide this message"
"""The hint at the end of these notices."""

GRAIN_SIZE = 32768
"""The minimum number of elements per thread, as in PyTorch's own operations."""

_lock = threading.Lock()
_notices: dict[str, str] = {}


def add_notice(subject: str, message: str) -> None:
    """Keep a notice about reduced speed for the end of the command, one per subject."""
    _notices[subject] = message


def notices() -> list[str]:
    """Return the notices to show at the end of the command."""
    return list(_notices.values())


def native_library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None. The first call in a process loads or compiles them (about a second)."""
    if os.environ.get(SWITCH) == "0":
        return None
    with _lock:
        return _load_or_compile()


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return the address of a tensor's data, null for None. The caller must keep the tensor alive while it is used."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def thread_count(rows: int, work: int) -> int:
    """Return how many of PyTorch's threads to use: at most one per row, and one if there is little work.

    Args:
        rows: the number of independent rows.
        work: the number of elements to compute.
    """
    return max(1, min(torch.get_num_threads(), rows, work // GRAIN_SIZE))


@functools.cache
def _load_or_compile() -> ctypes.CDLL | None:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        add_notice("compiler", f"no C compiler found ({', '.join(COMPILERS)}): {SLOWER}; install gcc, or {HIDE}")
        return None
    name, reason = f"kernels-{_key(compiler)}.so", ""
    try:
        path = cache_folder() / name
        return ctypes.CDLL(str(path)) if path.is_file() else _compile(compiler, path)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        reason = _first_error_line(error)
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:  # a loaded library may be deleted
            library = _compile(compiler, Path(folder) / name)
    except (OSError, subprocess.SubprocessError) as error:
        add_notice("compiler", f"the C kernels cannot be used ({_first_error_line(error)}): {SLOWER}; {HIDE}")
        return None
    add_notice(
        "compiler",
        f"the C kernels were compiled for this command only ({time.perf_counter() - started:.0f} s), because the cache "
        f"folder cannot be used: {reason}; set XDG_CACHE_HOME to a folder that only you can write to",
    )
    return library


def _first_error_line(error: Exception) -> str:
    """Return an error in one line; for a compiler, the first line that mentions an error."""
    lines = (getattr(error, "stderr", None) or b"").decode(errors="replace").splitlines()
    return next((line for line in lines if "error" in line.lower()), str(error))


def cache_folder() -> Path:
    """Return the folder for compiled and measured data; private to the user, because code from it is executed.

    Raises:
        RuntimeError: the folder belongs to another user, others can write to it, or there is no home folder.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "charrnn"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
        raise RuntimeError(f"{folder} belongs to another user, or others can write to it")
    return folder


def _sources() -> list[Path]:
    return sorted((Path(__file__).parent / "native").iterdir())


def _flags() -> tuple[str, ...]:
    is_old = platform.machine() == "x86_64" and torch.backends.cpu.get_cpu_capability() != "AVX512"
    return (*FLAGS, WITHOUT_AVX512) if is_old else FLAGS


def _key(compiler: str) -> str:
    """Return a hash of everything the machine code depends on; several machines may share a user's home folder."""
    digest = hashlib.sha256(repr((compiler, _flags(), platform.platform(), _processor())).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()[:24]


def _processor() -> str:
    """Return the processor's name and features, if the system reports them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    )


def _compile(compiler: str, path: Path) -> ctypes.CDLL:
    """Compile in a temporary folder and move the library once it loads, so that no process sees a partial file."""
    sources, flags = [source for source in _sources() if source.suffix == ".c"], _flags()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [str(Path(folder) / f"{source.stem}.o") for source in sources]
        pairs = zip(sources, objects, strict=True)
        list(pool.map(_run, ([compiler, *flags, "-c", str(source), "-o", target] for source, target in pairs)))
        built = Path(folder) / path.name
        _run([compiler, *flags, "-shared", *objects, "-o", str(built), "-lm"])
        loaded = ctypes.CDLL(str(built))
        built.replace(path)
    return loaded


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMPILE_TIMEOUT)
