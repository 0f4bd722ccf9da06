"""GPU features: whether CUDA graphs and the Triton kernels work on this GPU, tried once in a child process.

A failed capture or a crashing kernel makes its process unusable (PyTorch issues 180395 and 190348), and a hanging one
never returns. A child process therefore tries each feature (`charrnn/training/gpu_trial.py`) for at most
`TRIAL_TIMEOUT` seconds. The result is cached in the user's cache folder for this GPU, driver, PyTorch, Triton and
version of charrnn's code. Until a feature has passed its trial, only PyTorch's own operations are used.

`CHARRNN_GRAPHS` and `CHARRNN_TRITON` override the result: 0 (never), 1 (always), or auto (the default: if it passed).
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
"""The environment variable that controls each feature."""
FEATURE_NAMES = {"triton": "the Triton kernels", "graphs": "CUDA graphs"}
"""The display name of each feature."""
TRIAL_MODULE = "charrnn.training.gpu_trial"
"""The module that a child process runs to try a feature."""
TRIAL_TIMEOUT = 60.0
"""The time limit for a trial, in seconds."""
PACKAGE_FOLDER = Path(__file__).parents[2]
"""The folder of the charrnn package."""
CODE_FOLDERS = ("models", "training")
"""The folders of the package whose code affects a trial's result."""
DRIVER_VERSION = Path("/proc/driver/nvidia/version")
"""The file with the version of NVIDIA's driver."""


_failures: dict[tuple[str, torch.device], str] = {}
"""Trial results by feature and device: the reason for a failure in one line, or an empty string if it passed."""


def has_cuda_graphs(device: torch.device) -> bool:
    """Return whether a device supports CUDA graphs at all."""
    return device.type == "cuda"


def is_allowed(feature: str, device: torch.device) -> bool:
    """Return whether to use a feature on a CUDA device; the first call may try it, see `run_trials`.

    Args:
        feature: "graphs" or "triton".
        device: a CUDA device.

    Raises:
        UsageError: the feature's environment variable is not 0, 1 or auto.
    """
    setting = os.environ.get(SWITCHES[feature], "auto")
    if setting not in ("0", "1", "auto"):
        raise UsageError(f"{SWITCHES[feature]}={setting}: must be 0, 1 or auto")
    if setting != "auto":
        return setting == "1"
    run_trials(device, feature)
    return not _failures[feature, _numbered(device)]


def run_trials(device: torch.device, *features: str, log: Callable[[str], None] | None = None) -> None:
    """Determine whether features work on a CUDA device: from this process, from the cache, or by a trial.

    Args:
        device: a CUDA device.
        features: "graphs", "triton" or both. Graphs are tried after Triton, because they capture its kernels.
        log: called with a line when a trial starts and when a feature fails; without it, failures become notices.
    """
    device = _numbered(device)
    for feature in SWITCHES if "graphs" in features else features:
        is_open = os.environ.get(SWITCHES[feature], "auto") == "auto"
        if is_open and (feature, device) not in _failures:
            failure = _failures[feature, device] = _find_failure(feature, device, log)
            if failure and feature in features:
                reason = f"{FEATURE_NAMES[feature]} are off on this GPU ({failure})"
                line = f"{reason}; set {SWITCHES[feature]}=1 to use them anyway"
                add_notice(feature, line) if log is None else log(line)


def _numbered(device: torch.device) -> torch.device:
    return device if device.index is not None else torch.device(device.type, torch.cuda.current_device())


def capture_error_message(error: Exception) -> str:
    """Return the one-line message of a CaptureError."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"the GPU failed to capture a CUDA graph ({reason}); try {SWITCHES['graphs']}=0"


def _find_failure(feature: str, device: torch.device, log: Callable[[str], None] | None) -> str:
    if feature == "triton" and not importlib.util.find_spec("triton"):
        return "Triton is not installed"
    path = _path(feature, device)
    if path and path.is_file():
        with suppress(OSError, ValueError):  # a damaged file: try again
            known = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(known, str):
                return known
    if log:
        log(f"trying {FEATURE_NAMES[feature]} on this GPU (first run only, up to {TRIAL_TIMEOUT:.0f} seconds)")
    failure = _run_trial(feature, device)
    if path:
        with suppress(OSError), atomic_write(path) as temporary:  # on failure, the next command tries again
            temporary.write_text(json.dumps(failure), encoding="utf-8")
    return failure


def _run_trial(feature: str, device: torch.device) -> str:
    """Run the trial in a child process (exit status 0: passed); return the reason for a failure, or an empty string."""
    triton = "1" if feature == "triton" or is_allowed("triton", device) else "0"
    environment = {**os.environ, "CHARRNN_TRITON": triton, "CHARRNN_GRAPHS": "1"}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):  # set by torchrun; the child runs alone
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
            child.communicate(timeout=1)  # a process that hangs in a driver cannot be killed
        return f"the trial took more than {TRIAL_TIMEOUT:.0f} seconds"
    if child.returncode == 0:
        return ""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else f"the trial ended with status {child.returncode}"


def _path(feature: str, device: torch.device) -> Path | None:
    """Return the cache file of a trial's result; None without a cache folder."""
    try:
        return cache_folder() / f"{feature}-{_key(device)}.json"
    except (OSError, RuntimeError):
        return None


def _key(device: torch.device) -> str:
    """Return a hash of everything a trial's result depends on."""
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
