"""Compile kernels.c to kernels.wasm, with the C compiler of the package ziglang; only developers need it.

    pip install ziglang
    python -m charrnn.export.build_kernels

The result is committed, so that neither installing charrnn nor exporting a page needs a compiler. A file beside it has
the SHA-256 of its sources, so that a test notices a change after which this program was not run.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).with_name("engine")
NATIVE = Path(__file__).parents[1] / "models" / "kernels" / "native"
DIGEST = ENGINE / "kernels.sha256"
FLAGS = (
    "-target", "wasm32-wasi", "-mexec-model=reactor", "-mcpu=generic+simd128+bulk_memory", "-O3", "-g0",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all",
)  # fmt: skip


def digest_of_sources() -> str:
    """Return the SHA-256 of the C files that are compiled."""
    sources = [ENGINE / "kernels.c", *sorted(NATIVE.glob("*.h")), NATIVE / "product.c"]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def main() -> None:
    """Compile the file."""
    target = ENGINE / "kernels.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, str(ENGINE / "kernels.c"), "-o", str(target)]
    subprocess.run(command, check=True)
    target.chmod(0o644)
    DIGEST.write_text(digest_of_sources() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
