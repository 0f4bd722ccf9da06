"""Killing and stopping processes: nothing is lost, and resumed training gives the same bits."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from processes import start
from safetensors.torch import load_file

from charrnn.checkpoint import load

TEXT = "to be or not to be, that is the question; whether 'tis nobler in the mind to suffer\n" * 60
SHAPE = ("--hidden", 16, "--dropout", 0.2, "--batch-size", 4, "--seq-length", 32)
WORDS = (*SHAPE, "--steps", 240, "--validate-every", 40)
OFTEN = ("--save-every", 7)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The checkpoints of an undisturbed training run, and its duration in seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    train(folder, "warm", "--steps", 5)  # the first process waits for those that are forked to be ready
    started = time.perf_counter()
    assert train(folder, "whole") == 0
    return folder / "checkpoints", time.perf_counter() - started


@pytest.fixture
def folder(tmp_path: Path, undisturbed: tuple[Path, float]) -> Path:
    """A folder with the text and the undisturbed run."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "checkpoints").mkdir()
    for path in undisturbed[0].glob("whole*.safetensors"):
        shutil.copy(path, tmp_path / "checkpoints")
    return tmp_path


def train(folder: Path, out: str, *more: object) -> int | None:
    """Train to the end; return the exit status."""
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", out, *more)
    process.join(120)
    status: int | None = process.exitcode
    return status


def assert_same(folder: Path, first: str, second: str) -> None:
    for ending in ("", "-last"):
        one, other = (load_file(folder / f"checkpoints/{name}{ending}.safetensors") for name in (first, second))
        assert one.keys() == other.keys()
        assert [name for name in one if not one[name].equal(other[name])] == []


def kill_again_and_again(folder: Path, longest: float, times: int, seed: int) -> None:
    """Kill a training run with `--resume` several times at random moments, then let it finish."""
    chance = random.Random(seed)
    killed = 0
    while killed < times:
        process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", "it", "--resume")
        process.join(chance.uniform(0, longest / 2))
        if process.exitcode is None:
            killed += 1
            process.kill()
        process.join(60)
        for path in (folder / "checkpoints").glob("*.safetensors"):
            load(path)
        if process.exitcode == 0:  # it came to its end: from the beginning
            assert_same(folder, "whole", "it")
            for path in (folder / "checkpoints").glob("it*"):
                path.unlink()
    assert train(folder, "it", "--resume") == 0
    assert_same(folder, "whole", "it")


def test_killed_training_resumes_bit_exact(folder: Path, undisturbed: tuple[Path, float]) -> None:
    kill_again_and_again(folder, undisturbed[1], times=3, seed=0)


@pytest.mark.slow
def test_training_killed_fifty_times_resumes_bit_exact(folder: Path, undisturbed: tuple[Path, float]) -> None:
    kill_again_and_again(folder, undisturbed[1], times=50, seed=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_signal_saves_and_training_resumes(folder: Path, number: signal.Signals) -> None:
    last = folder / "checkpoints" / "it-last.safetensors"
    for _ in range(5):
        process = start(folder, "train", "text.txt", *WORDS, "--out", "it")
        while not last.exists():  # until the first validation
            time.sleep(0.01)
            assert process.is_alive() or last.exists()
        os.kill(process.pid or 0, number)
        process.join(60)
        if process.exitcode:
            break
        for path in (folder / "checkpoints").glob("it*"):  # on a busy machine it may be over before it is asked
            path.unlink()
    assert process.exitcode == 128 + number, (folder / "err.txt").read_text()
    assert load(last).metadata.step is not None
    assert "stopping: saving a checkpoint" in (folder / "err.txt").read_text()
    assert train(folder, "it", "--resume") == 0
    assert_same(folder, "whole", "it")


def test_training_of_a_name_in_use_is_refused(folder: Path) -> None:
    first = start(folder, "train", "text.txt", *SHAPE, "--steps", 10**6, "--out", "it")
    lock = folder / "checkpoints" / ".it.safetensors.lock"
    while not lock.exists():
        time.sleep(0.01)
        assert first.is_alive()
    time.sleep(0.2)
    assert train(folder, "it", "--force") == 1
    assert "another process is writing this checkpoint" in (folder / "err.txt").read_text()
    first.kill()
    first.join(60)
    assert train(folder, "it", "--force", "--steps", 5) == 0
