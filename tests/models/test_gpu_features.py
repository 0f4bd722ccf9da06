"""Trials of GPU features, with a simulated GPU and real child processes that pass, fail, crash and hang."""

import json
import time
from pathlib import Path

import pytest
import torch

from charrnn.errors import UsageError
from charrnn.models.hardware import gpu_features
from charrnn.models.hardware.gpu_features import is_allowed, run_trials
from charrnn.models.kernels import build

GPU = torch.device("cuda", 0)
CHILD = """
import os, sys, time
with open(os.environ["TRIALS"], "a") as file:
    print(sys.argv[1], os.environ["CHARRNN_TRITON"], os.environ["CHARRNN_GRAPHS"], os.environ.get("RANK"), file=file)
how = os.environ["HOW"]
if how == "crash":
    os.abort()
if how == "hang":
    time.sleep(60)
if how == "fail":
    raise ValueError("recorded weights differ")
"""


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one line per trial; the child behaves as the variable HOW says."""
    (tmp_path / "trial_of_test.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TRIALS", str(tmp_path / "trials"))
    monkeypatch.setenv("RANK", "1")
    for name in gpu_features.SWITCHES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpu_features, "TRIAL_MODULE", "trial_of_test")
    monkeypatch.setattr(gpu_features, "_failures", {})
    monkeypatch.setattr(build, "_notices", {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.6.0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    return tmp_path / "trials"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a new process."""
    monkeypatch.setattr(gpu_features, "_failures", {})


def test_feature_that_passes_is_used_and_tried_once(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW", "pass")
    lines: list[str] = []
    run_trials(GPU, "graphs", log=lines.append)
    assert is_allowed("graphs", GPU)
    assert is_allowed("triton", torch.device("cuda"))
    forget(monkeypatch)
    assert is_allowed("graphs", GPU)
    assert trials.read_text().splitlines() == ["triton 1 1 None", "graphs 1 1 None"], "one after the other, once"
    assert lines == [
        "trying the Triton kernels on this GPU (first run only, up to 60 seconds)",
        "trying CUDA graphs on this GPU (first run only, up to 60 seconds)",
    ]
    assert not build.notices()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("fail", "ValueError: recorded weights differ"),
        ("crash", "the trial ended with status -6"),
        ("hang", "the trial took more than 1 seconds"),
    ],
)
def test_feature_that_fails_is_off_with_one_line(
    how: str, reason: str, trials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOW", how)
    monkeypatch.setenv("CHARRNN_TRITON", "0")
    if how == "hang":
        monkeypatch.setattr(gpu_features, "TRIAL_TIMEOUT", 1.0)
    assert not is_allowed("graphs", GPU)
    line = f"CUDA graphs are off on this GPU ({reason}); set CHARRNN_GRAPHS=1 to use them anyway"
    assert build.notices() == [line]
    forget(monkeypatch)
    lines: list[str] = []
    run_trials(GPU, "graphs", log=lines.append)
    assert lines == [line], "said each time, tried once"
    assert trials.read_text().splitlines() == ["graphs 0 1 None"]


def test_verdict_of_another_gpu_driver_or_code_is_not_used(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW", "pass")
    assert is_allowed("triton", GPU)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Another GPU")
    forget(monkeypatch)
    assert is_allowed("triton", GPU)
    monkeypatch.setattr(gpu_features, "DRIVER_VERSION", trials)
    forget(monkeypatch)
    assert is_allowed("triton", GPU)
    monkeypatch.setattr(gpu_features, "CODE_FOLDERS", ("models",))
    forget(monkeypatch)
    assert is_allowed("triton", GPU)
    assert len(trials.read_text().splitlines()) == 4


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"passed": true}', b"\xff"])
def test_verdict_that_is_damaged_is_tried_again(content: bytes, trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW", "pass")
    path = gpu_features._path("triton", GPU)
    assert path
    path.write_bytes(content)
    assert is_allowed("triton", GPU)
    assert json.loads(path.read_text()) == ""


def test_verdict_with_unwritable_cache_is_used_in_this_process(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW", "pass")
    trials.parent.joinpath("cache").write_text("a file")
    assert is_allowed("triton", GPU)
    assert is_allowed("triton", GPU)
    assert len(trials.read_text().splitlines()) == 1


@pytest.mark.parametrize(("value", "allowed"), [("0", False), ("1", True)])
def test_feature_with_its_variable_set_is_not_tried(
    value: str, allowed: bool, trials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for feature, name in gpu_features.SWITCHES.items():
        monkeypatch.setenv(name, value)
        assert is_allowed(feature, GPU) == allowed
    run_trials(GPU, "graphs", "triton")
    assert not trials.exists()


def test_feature_variable_with_unknown_value_raises_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARRNN_GRAPHS", "yes")
    with pytest.raises(UsageError, match="CHARRNN_GRAPHS=yes: must be 0, 1 or auto"):
        is_allowed("graphs", GPU)


def test_trial_that_hangs_is_given_up(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW", "hang")
    monkeypatch.setattr(gpu_features, "TRIAL_TIMEOUT", 0.5)
    started = time.perf_counter()
    assert not is_allowed("triton", GPU)
    assert time.perf_counter() - started < 30, "the child sleeps for a minute"
