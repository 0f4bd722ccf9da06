"""Disks that become full, read-only or missing during training: nothing is lost, and training continues."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from processes import start
from safetensors.torch import load_file

from charrnn.checkpoint import load

TEXT = "to be or not to be, that is the question; whether 'tis nobler in the mind to suffer\n" * 60
STEPS = 240
WORDS = ("--hidden", 16, "--dropout", 0.2, "--batch-size", 4, "--seq-length", 32, "--steps", STEPS)
OFTEN = ("--validate-every", 40, "--save-every", 7)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small file system: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last state of an undisturbed training run."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN)
    process.join(120)
    assert process.exitcode == 0
    return folder / "checkpoints" / "text-lstm-last.safetensors"


def is_same(one: Path, other: Path) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def said(folder: Path) -> str:
    file = folder / "err.txt"
    return file.read_text() if file.exists() else ""


def wait_for(process: BaseProcess, condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)
        assert process.is_alive()


def fill(place: Path) -> Path:
    """Fill the disk completely."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            pass
    return filler


def check_that_it_went_on(folder: Path, process: BaseProcess, last: Path, whole: Path, reason: str) -> None:
    process.join(60)
    assert process.exitcode == 0
    assert is_same(last, whole)
    (line,) = {line for line in said(folder).splitlines() if reason in line and ".jsonl" not in line}
    assert re.search(
        rf"it(-last)?\.safetensors: cannot be written: {reason}; free some disk space, or choose another path with "
        r"--out \(training continues; will retry at the next save\)$",
        line,
    )
    assert sorted(path.name for path in last.parent.iterdir() if not path.name.startswith(".")) == [
        "it-last.safetensors", "it-previous.safetensors", "it.jsonl", "it.safetensors",
    ]  # fmt: skip


def test_disk_full_for_a_while_training_continues_unchanged(folder: Path, disk: Path, whole: Path) -> None:
    last = disk / "it-last.safetensors"
    load(whole)  # which takes a second the first time: the training must not be over before there is room again
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", disk / "it")
    wait_for(process, (disk / "it-previous.safetensors").exists)
    filler = fill(disk)
    wait_for(process, lambda: "No space left" in said(folder))
    before = load(last).metadata.step
    load(disk / "it.safetensors")
    filler.unlink()
    assert before
    assert before < STEPS
    check_that_it_went_on(folder, process, last, whole, "No space left on device")


def test_folder_read_only_for_a_while_training_continues_unchanged(folder: Path, whole: Path) -> None:
    last = folder / "checkpoints" / "it-last.safetensors"
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", "it")
    wait_for(process, last.with_name("it-previous.safetensors").exists)
    last.parent.chmod(0o555)
    wait_for(process, lambda: "Permission denied" in said(folder))
    load(last)
    last.parent.chmod(0o755)
    check_that_it_went_on(folder, process, last, whole, "Permission denied")


def test_disk_full_until_the_end_saves_state_in_temporary_folder(folder: Path, disk: Path, whole: Path) -> None:
    """The last state goes to the temporary folder, and can be moved back once there is space."""
    last = disk / "it-last.safetensors"
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", disk / "it", temporary=folder / "tmp")
    wait_for(process, last.exists)
    filler = fill(disk)
    process.join(60)
    assert process.exitcode == 1
    actual = re.search(r"; the last state is in (\S+): move it to (\S+) and use --resume\n$", said(folder))
    assert actual
    rescued = folder / actual[1]
    assert actual[2] == str(last)
    assert load(last).metadata.step
    filler.unlink()
    shutil.move(rescued, last)
    again = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", disk / "it", "--resume")
    again.join(60)
    assert again.exitcode == 0
    assert is_same(last, whole)
    assert load(disk / "it.safetensors").metadata.validation


def test_deleted_folder_is_created_again_with_best_state(folder: Path) -> None:
    """The folder is created again, with the best state, even without a new best score."""
    checkpoints = folder / "checkpoints"
    process = start(folder, "train", "text.txt", *WORDS, *OFTEN, "--out", "it", "--learning-rate", 1e-9)
    wait_for(process, (checkpoints / "it.safetensors").exists)
    shutil.rmtree(checkpoints, ignore_errors=True)
    process.join(60)
    assert process.exitcode == 0
    step = load(checkpoints / "it-last.safetensors").metadata.step
    assert step == STEPS
    assert load(checkpoints / "it.safetensors").metadata.validation


def test_folder_read_only_from_the_start_is_one_line(folder: Path) -> None:
    (folder / "checkpoints").mkdir(mode=0o555)
    process = start(folder, "train", "text.txt", *WORDS)
    process.join(60)
    assert process.exitcode == 1
    refused = "checkpoints: cannot write to this folder: Permission denied; choose another one with --out"
    assert said(folder) == f"charrnn: {refused}\n"
