"""Training with several processes from the command line: one output, one checkpoint, recovery from killed processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import free_port, start, start_together
from safetensors.torch import load_file

TEXT = "to be or not to be, that is the question; whether 'tis nobler in the mind to suffer\n" * 60
WORDS = ("--hidden", 16, "--dropout", 0.2, "--batch-size", 4, "--seq-length", 32, "--validate-every", 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def together(folder: Path, *words: object, restarts: int = 0) -> list[int | None]:
    """Train with two processes; return their exit statuses."""
    processes = start_together(folder, 2, "train", "text.txt", *WORDS, *words, restarts=restarts)
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_rank_zero_alone_prints_and_writes(folder: Path) -> None:
    assert together(folder, "--steps", 80, "--out", "it", "--json") == [0, 0]
    assert json.loads((folder / "out.txt").read_text())["steps"] == 80
    err = (folder / "err.txt").read_text()
    assert err.count("model       lstm 2x16") == err.count("step 80/80") == 1
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        ".it.safetensors.lock", "it-last.safetensors", "it-previous.safetensors", "it.jsonl", "it.safetensors",
    ]  # fmt: skip
    assert together(folder, "--steps", 80, "--out", "it", "--resume") == [0, 0]
    assert "after step 80/80" in (folder / "err.txt").read_text()


def test_rank_zero_plans_the_minutes(folder: Path) -> None:
    assert together(folder, "--minutes", 0.01, "--with-ngram") == [0, 0]
    assert (folder / "err.txt").read_text().count("mixture     validation") == 1


def kill_workers(folder: Path, times: int, steps: int) -> None:
    """Kill torchrun workers one after the other; then compare the result with that of an undisturbed run."""
    long, chance = ("--steps", steps, "--save-every", 5), random.Random(times)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--max-restarts", times + 1, "--nproc-per-node", 2)
    command = (*torchrun, "-m", "charrnn", "train", "text.txt", *WORDS, *long, "--out", "killed")
    log, last = folder / "torchrun.txt", folder / "checkpoints" / "killed-last.safetensors"
    with log.open("w") as err:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        agent = subprocess.Popen([str(word) for word in command], cwd=folder, stderr=err, env=environment)
        for number in range(times):
            before = last.stat().st_mtime_ns if number else 0
            while not last.exists() or last.stat().st_mtime_ns == before:
                time.sleep(0.01)
                assert agent.poll() is None
            os.kill(chance.choice(children(agent.pid)), signal.SIGKILL)
            while log.read_text().count("resumed     checkpoints/killed-") <= number:
                time.sleep(0.01)
                assert agent.poll() is None
        assert together(folder, *long, "--out", "whole") == [0, 0]  # in the meantime
        assert agent.wait(120) == 0
    for ending in ("", "-last"):
        one, other = (load_file(folder / f"checkpoints/{name}{ending}.safetensors") for name in ("whole", "killed"))
        assert [name for name in one if not one[name].equal(other[name])] == []


def test_restarted_processes_resume_by_themselves(folder: Path) -> None:
    """As when torchrun restarts a killed process; if nothing was saved yet, training starts from scratch."""
    assert together(folder, "--steps", 40, "--out", "it", restarts=1) == [0, 0]
    begun = "no checkpoint to resume at checkpoints/it.safetensors; starting a new run"
    assert begun in (folder / "err.txt").read_text()
    assert together(folder, "--steps", 40, "--out", "it", restarts=2) == [0, 0]
    assert "resumed     checkpoints/it-last.safetensors: after step 40/40" in (folder / "err.txt").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the processes of torchrun under /proc")
def test_killed_worker_restarts_the_group(folder: Path) -> None:
    """The group is restarted and resumes by itself; the result has the same bits as an undisturbed run."""
    kill_workers(folder, times=1, steps=160)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the processes of torchrun under /proc")
def test_ten_killed_workers_restart_the_group(folder: Path) -> None:
    kill_workers(folder, times=10, steps=2000)


def test_machines_without_shared_folder_train_together(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rank 0 has the checkpoints and sends the other process what it needs; each process reads its own text."""
    other, outs = tmp_path_factory.mktemp("other"), []

    def run(*words: object) -> list[int | None]:
        port = free_port()
        both = [
            start(place, "train", "text.txt", *WORDS, *words, rank=rank, size=2, port=port)
            for rank, place in enumerate((folder, other))
        ]
        for process in both:
            process.join(120)
        outs.append((other / "err.txt").read_text())
        return [process.exitcode for process in both]

    assert run("--steps", 40) == [1, 1]
    assert "charrnn (process 1): text.txt: not found" in outs[-1]
    (other / "text.txt").write_text(TEXT.replace("nobler", "Nobler"), encoding="utf-8")
    assert run("--steps", 40) == [1, 1]
    assert "charrnn (process 1): text.txt: differs from the text of rank 0" in outs[-1]
    assert "charrnn: another process" in (folder / "err.txt").read_text()
    (other / "text.txt").write_text(TEXT, encoding="utf-8")
    assert run("--steps", 40) == [0, 0]
    assert run("--steps", 40, "--resume") == [0, 0]
    assert run("--steps", 40, "--init-from", "checkpoints/text-lstm.safetensors", "--out", "new") == [0, 0]
    assert not list(other.glob("checkpoints/*.safetensors"))
    assert "Traceback" not in outs[-1]
