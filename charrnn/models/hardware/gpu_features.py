"""Whether this GPU may record CUDA graphs and run the Triton kernels: tried once, in another process.

A recording that fails, or a kernel that crashes, leaves the process that tried it unusable (PyTorch issues 180395 and
190348), and a hang never returns. So a child process tries each feature (`charrnn/training/gpu_trial.py`) in at most
`TRIAL_TIMEOUT` seconds, and its verdict is kept in the user's cache for this GPU, driver, PyTorch, Triton and version
of charrnn's code. Until a feature has passed, the plain path is taken, which uses PyTorch's own operations alone.

`CHARRNN_GRAPHS` and `CHARRNN_TRITON` overrule the verdict: 0 never, 1 always, auto (default) if it passed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from charrnn.errors import UsageError
from charrnn.files import atomic_write
from charrnn.models.kernels.build import add_notice, cache_folder

SWITCHES = {"triton": "CHARRNN_TRITON", "graphs": "CHARRNN_GRAPHS"}
"""The environment variable of each feature."""
FEATURE_NAMES = {"triton": "the Triton kernels", "graphs": "CUDA graphs"}
TRIAL_MODULE = "charrnn.training.gpu_trial"
TRIAL_TIMEOUT = 60.0
"""The time limit for a trial, in seconds."""
PACKAGE_FOLDER = Path(__file__).parents[2]
CODE_FOLDERS = ("models", "training")
"""Folders of the package whose code a verdict is about."""
DRIVER_VERSION = Path("/proc/driver/nvidia/version")


_failures: dict[tuple[str, torch.device], str] = {}
"""The verdicts: why a feature that was tried may not be used on a device, in a line; an empty string if it passed."""


def has_cuda_graphs(device: torch.device) -> bool:
    """Whether a device has CUDA graphs at all."""
    return device.type == "cuda"


def is_allowed(feature: str, device: torch.device) -> bool:
    """Whether to use a feature on a CUDA device; the first call may try it, see `run_trials`.

    Args:
        feature: "graphs" or "triton".
        device: a CUDA device.

    Raises:
        UsageError: its environment variable is not 0, 1 or auto.
    """
    setting = os.environ.get(SWITCHES[feature], "auto")
    if setting not in ("0", "1", "auto"):
        raise UsageError(f"{SWITCHES[feature]}={setting}: must be 0, 1 or auto")
    if setting != "auto":
        return setting == "1"
    run_trials(device, feature)
    return not _failures[feature, _numbered(device)]


def run_trials(device: torch.device, *features: str, log: Callable[[str], None] | None = None) -> None:
    """Find the verdicts of features on a CUDA device: in this process, in the cache, or by a trial.

    Args:
        device: a CUDA device.
        features: "graphs", "triton" or both. Graphs are tried after Triton, whose kernels they record.
        log: told in a line that a trial begins, and that a feature failed; without it, failures become notices.
    """
    device = _numbered(device)
    for feature in SWITCHES if "graphs" in features else features:
        is_open = os.environ.get(SWITCHES[feature], "auto") == "auto"
        if is_open and (feature, device) not in _failures:
            failure = _failures[feature, device] = _find_failure(feature, device, log)
            if failure and feature in features:
                reason = f"{FEATURE_NAMES[feature]} are off on this GPU ({failure})"
                line = f"{reason}; {SWITCHES[feature]}=1 uses them anyway"
                add_notice(feature, line) if log is None else log(line)


def _numbered(device: torch.device) -> torch.device:
    return device if device.index is not None else torch.device(device.type, torch.cuda.current_device())


def capture_error_message(error: Exception) -> str:
    """The message of a CaptureError, in a line."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"the GPU failed while recording a CUDA graph ({reason}); try {SWITCHES['graphs']}=0"


def _find_failure(feature: str, device: torch.device, log: Callable[[str], None] | None) -> str:
    if feature == "triton" and not importlib.util.find_spec("triton"):
        return "Triton is not installed"
    path = _path(feature, device)
    if path and path.is_file():
        with suppress(OSError, ValueError):  # damaged: try again
            known = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(known, str):
                return known
    if log:
        log(f"trying {FEATURE_NAMES[feature]} on this GPU, once ({TRIAL_TIMEOUT:.0f} seconds at most)")
    failure = _run_trial(feature, device)
    if path:
        with suppress(OSError), atomic_write(path) as temporary:  # if it fails, the next command tries again
            temporary.write_text(json.dumps(failure), encoding="utf-8")
    return failure


def _run_trial(feature: str, device: torch.device) -> str:
    """Run the trial in a child process, which ends with exit status 0 if the feature passed."""
    triton = "1" if feature == "triton" or is_allowed("triton", device) else "0"
    environment = {**os.environ, "CHARRNN_TRITON": triton, "CHARRNN_GRAPHS": "1"}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):  # of torchrun: the child is alone
        environment.pop(name, None)
    paths = [str(PACKAGE_FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    child = subprocess.Popen(
        [sys.executable, "-m", TRIAL_MODULE, feature, str(device)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        _, output = child.communicate(timeout=TRIAL_TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=1)  # a process that hangs in a driver does not end
        return f"the trial took more than {TRIAL_TIMEOUT:.0f} seconds"
    if child.returncode == 0:
        return ""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else f"the trial ended with status {child.returncode}"


def _path(feature: str, device: torch.device) -> Path | None:
    """The file of a verdict; None where nothing can be kept."""
    try:
        return cache_folder() / f"{feature}-{_key(device)}.json"
    except (OSError, RuntimeError):
        return None


def _key(device: torch.device) -> str:
    """A hash of all that a verdict depends on."""
    about = [torch.__version__, torch.cuda.get_device_name(device), str(torch.cuda.get_device_capability(device))]
    if importlib.util.find_spec("triton"):
        about.append(importlib.metadata.version("triton"))
    if DRIVER_VERSION.is_file():
        about.append(DRIVER_VERSION.read_text(encoding="utf-8", errors="replace"))
    digest = hashlib.sha256("\n".join(about).encode())
    for folder in CODE_FOLDERS:
        for source in sorted((PACKAGE_FOLDER / folder).rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:24]
