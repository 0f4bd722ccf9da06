"""Real processes whose log disappears, whose terminal closes, or that are interrupted during startup."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from processes import start
from program import Charrnn

from charrnn.checkpoint import load

SMALL = ("--hidden", 8, "--layers", 1, "--batch-size", 4, "--seq-length", 16)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def log(folder: Path) -> Iterator[io.FileIO]:
    """A reader of the named pipe `log` in the folder."""
    os.mkfifo(folder / "log")
    with io.FileIO(os.open(folder / "log", os.O_RDONLY | os.O_NONBLOCK)) as reader:
        yield reader


def check_that_it_trained(folder: Path) -> None:
    """Check that the checkpoint and the history are complete."""
    assert load(folder / "checkpoints/text-lstm-last.safetensors").metadata.step == 30
    assert (folder / "checkpoints/text-lstm.jsonl").stat().st_size > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_training_with_full_disk_for_its_log_continues(folder: Path) -> None:
    """From the start of the interpreter to its end, which may fail too if a stream cannot be written."""
    words = [sys.executable, "-m", "charrnn", "train", "text.txt", *SMALL, "--steps", 30, "--validate-every", 3]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([str(word) for word in words], cwd=folder, env=ENVIRONMENT, stderr=full, check=False)
    assert done.returncode == 0
    check_that_it_trained(folder)


def test_training_whose_log_reader_leaves_continues(folder: Path, log: io.FileIO) -> None:
    """`charrnn train ... 2>&1 | head -3`."""
    words = ("train", "text.txt", *SMALL, "--steps", 30, "--validate-every", 3)
    process = start(folder, *words, out=folder / "log", err=folder / "log")
    said = b""
    while said.count(b"\n") < 3:
        if piece := log.read(1):
            said += piece
        else:
            assert process.is_alive(), said
            time.sleep(0.01)
    log.close()
    process.join(60)
    assert process.exitcode == 0
    check_that_it_trained(folder)


def begin(folder: Path, validate_every: int = 50, err: Path | None = None, ignored: Sequence[int] = ()) -> BaseProcess:
    """Start a training run without an end."""
    words = ("train", "text.txt", *SMALL, "--steps", 1_000_000, "--validate-every", validate_every, "--out", "it")
    return start(folder, *words, err=err, ignored=ignored)


def wait_for(path: Path, process: BaseProcess) -> None:
    while not path.exists():
        time.sleep(0.02)
        assert process.is_alive()


def wait_for_change(path: Path, process: BaseProcess) -> None:
    changed = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == changed:
        time.sleep(0.02)
        assert process.is_alive()


def end(process: BaseProcess, number: signal.Signals) -> None:
    """Send a signal, after which the process must stop."""
    assert process.pid
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number


def test_closed_terminal_saves_and_ends(folder: Path, log: io.FileIO) -> None:
    """SIGHUP is sent when an ssh connection ends; nobody can read the output then."""
    process = begin(folder, err=folder / "log")
    last = folder / "checkpoints/it-last.safetensors"
    wait_for(last, process)
    before = load(last).metadata.step or 0
    log.close()
    wait_for_change(last, process)
    end(process, signal.SIGHUP)
    assert (load(last).metadata.step or 0) > before


def test_sighup_under_nohup_is_ignored(folder: Path) -> None:
    process = begin(folder, ignored=[signal.SIGHUP])
    last = folder / "checkpoints/it-last.safetensors"
    wait_for(last, process)
    assert process.pid
    os.kill(process.pid, signal.SIGHUP)
    wait_for_change(last, process)
    end(process, signal.SIGTERM)


def test_sigusr1_saves_and_continues(folder: Path) -> None:
    process = begin(folder, validate_every=900_000)
    wait_for(folder / "checkpoints/it.jsonl", process)
    last = folder / "checkpoints/it-last.safetensors"
    assert not last.exists()
    assert process.pid
    os.kill(process.pid, signal.SIGUSR1)
    wait_for(last, process)
    time.sleep(0.2)
    assert process.is_alive()
    end(process, signal.SIGTERM)
    assert "saving a checkpoint after this step; training continues" in (folder / "err.txt").read_text()


BEGUN = """
from charrnn.cli.shared import interrupts

install = interrupts.install


def install_and_say_so():
    install()
    print("begun", flush=True)


interrupts.install = install_and_say_so
from charrnn.__main__ import main
main()
"""
"""A program that starts like `python -m charrnn`, and signals when Python's own startup is done."""


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.6, 1.2])
def test_ctrl_c_during_start_is_one_line(seconds: float, folder: Path) -> None:
    words = [sys.executable, "-c", BEGUN, "train", "text.txt", *map(str, SMALL), "--steps", "100000000"]
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
    assert "charrnn: interrupted" in said or "stopping: saving a checkpoint" in said


def test_invalid_columns_variable_is_ignored(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some CI systems set COLUMNS to 0, which once hid all output."""
    command = [sys.executable, "-m", "charrnn", "train", "--help"]
    environment = ENVIRONMENT | {"COLUMNS": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert "--hidden" in done.stdout
    for columns in ("0", "wide"):
        monkeypatch.setenv("COLUMNS", columns)
        assert "--hidden" in charrnn("train", "--help").text
    monkeypatch.setenv("COLUMNS", "0")
    assert "validation" in charrnn("ngram", "text.txt", "--order", 3).err
