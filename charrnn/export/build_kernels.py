"""Compile kernels.c to kernels.wasm, with the C compiler of the package ziglang; only developers need it.

    pip install ziglang
    python -m charrnn.export.build_kernels

The result is committed, so that neither installing charrnn nor exporting a page needs a compiler.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).with_name("engine")
FLAGS = (
    "-target", "wasm32-wasi", "-mexec-model=reactor", "-mcpu=generic+simd128+bulk_memory", "-O3", "-g0",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all",
)  # fmt: skip


def main(target: Path = ENGINE / "kernels.wasm") -> None:
    """Compile the file."""
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, str(ENGINE / "kernels.c"), "-o", str(target)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
