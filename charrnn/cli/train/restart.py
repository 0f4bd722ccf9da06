"""Restarting a training whose GPU has failed: in a new process, without CUDA graphs or on the CPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.checkpoint import last_path
from charrnn.cli.shared.terminal import log
from charrnn.errors import CaptureError, is_out_of_memory
from charrnn.models.hardware.gpu_features import SWITCHES
from charrnn.text.sources import STANDARD_INPUT
from charrnn.torchrun import world_size

if TYPE_CHECKING:
    import torch


def state_of(path: Path) -> tuple[int, int] | None:
    """Return the inode and modification time of a checkpoint's last state; None if there is no last state."""
    last = last_path(path)
    if not last.exists():
        return None
    status = last.stat()
    return status.st_ino, status.st_mtime_ns


@contextmanager
def started_again_without_gpu(where: torch.device, device: str, path: Path, texts: Sequence[Path]) -> Iterator[None]:
    """Restart the training in this context if its GPU fails; see `start_again`."""
    before = state_of(path)
    try:
        yield
    except Exception as error:
        if where.type == "cuda":
            start_again(error, device, path, texts, before)
        raise


def start_again(
    error: Exception, device: str, path: Path, texts: Sequence[Path], before: tuple[int, int] | None = None
) -> None:
    """Replace this process by one that trains without CUDA graphs, or on the CPU; return if that cannot help.

    CUDA may be unusable in this process after a failure. The new process resumes from the last saved state, unless that
    is the state from `before` this training. It uses the CPU only with `--device auto`. A text from standard input
    cannot be read again, so nothing is restarted.
    """
    if world_size() > 1 or STANDARD_INPUT in texts:
        return
    words, environment = sys.argv[1:], dict(os.environ)
    if isinstance(error, CaptureError):
        log(f"warning: {error}: restarting with that setting")
        environment[SWITCHES["graphs"]] = "0"
    elif is_out_of_memory(error) and device == "auto":
        log("warning: out of GPU memory; restarting on the CPU (a smaller --batch-size may fit the GPU)")
        words += ["--device", "cpu"]
    else:
        return
    has_saved = state_of(path) not in (None, before)
    if has_saved and not any(word.startswith("--resume") for word in words):
        words.append("--resume")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-m", "charrnn", *words], environment)
