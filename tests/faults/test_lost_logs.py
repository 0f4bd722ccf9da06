"""Real processes whose log is lost, whose terminal closes, and that are interrupted while they start."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from charrnn.checkpoint import load

SMALL = "--hidden 8 --layers 1 --batch-size 4 --seq-length 16"
RUN = f"{sys.executable} -m charrnn"
PACKAGE = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1"}


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("log", ["2>&1 | head -3", "2>/dev/full"])
def test_training_without_readable_stderr_continues(log: str, folder: Path) -> None:
    """The checkpoint and the history are what it is for."""
    done = shell(folder, f"{RUN} train text.txt {SMALL} --steps 30 --validate-every 3 {log}")
    assert done.returncode == 0, done
    assert load(folder / "checkpoints/text-lstm-last.safetensors").metadata.step == 30
    assert (folder / "checkpoints/text-lstm.jsonl").stat().st_size > 0


def begin(folder: Path, prefix: str = "", validate_every: int = 50) -> subprocess.Popen[str]:
    """A training that does not end by itself."""
    command = f"exec {prefix} {RUN} train text.txt {SMALL} --steps 1000000 --validate-every {validate_every} --out it"
    return subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        time.sleep(0.02)
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGHUP])
def test_closed_terminal_saves_and_ends(number: signal.Signals, folder: Path) -> None:
    """SIGHUP is what ssh leaves behind; there is nobody to read what is said then."""
    process = begin(folder)
    last = folder / "checkpoints/it-last.safetensors"
    wait_for(last, process)
    before = load(last).metadata.step or 0
    assert process.stderr
    process.stderr.close()
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert (load(last).metadata.step or 0) > before


def test_sighup_under_nohup_is_ignored(folder: Path) -> None:
    process = begin(folder, "nohup")
    last = folder / "checkpoints/it-last.safetensors"
    wait_for(last, process)
    process.send_signal(signal.SIGHUP)
    changed = last.stat().st_mtime_ns
    while last.stat().st_mtime_ns == changed:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert process.stderr
    process.stderr.close()


def test_sigusr1_saves_and_continues(folder: Path) -> None:
    process = begin(folder, validate_every=900_000)
    wait_for(folder / "checkpoints/it.jsonl", process)
    last = folder / "checkpoints/it-last.safetensors"
    assert not last.exists()
    process.send_signal(signal.SIGUSR1)
    wait_for(last, process)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert "saving after this step, and going on" in said


BEGUN = """
import sys
from charrnn.cli.shared import interrupts
interrupts.install()
print("begun", flush=True)
from charrnn.__main__ import main
main()
"""
"""As `python -m charrnn` begins, and says so: what comes before is Python's own start."""


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.6, 1.2])
def test_ctrl_c_during_start_is_one_line(seconds: float, folder: Path) -> None:
    words = [sys.executable, "-c", BEGUN, "train", "text.txt", *SMALL.split(), "--steps", "100000000"]
    process = subprocess.Popen(
        words, cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert not re.search("Traceback|terminate called|Error", said)
    assert "charrnn: interrupted" in said or "stopping: saves first" in said


def test_invalid_columns_variable_is_ignored(folder: Path) -> None:
    """Some CI systems set COLUMNS to 0: nothing was shown at all."""

    def shown(columns: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "charrnn", *words]
        environment = ENVIRONMENT | {"COLUMNS": columns}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)

    for columns in ("0", "wide"):
        assert "--hidden" in shown(columns, "train", "--help").stdout
    assert "validation" in shown("0", "ngram", "text.txt", "--order", "3").stderr
