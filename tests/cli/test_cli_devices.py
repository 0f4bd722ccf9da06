"""`--device`, with GPUs that are played: there, missing, too old, full; and training that starts again without."""

import os
import sys
from pathlib import Path

import pytest
import torch

from charrnn.cli.shared import devices
from charrnn.cli.train import restart
from charrnn.errors import CaptureError, DeviceError, UsageError, is_out_of_memory
from charrnn.training.distributed import should_report


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two GPUs, and one of Apple's; a line in the list is what is wrong with them."""
    wrong: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    real = torch.ones

    def ones(*size: int, device: torch.device) -> torch.Tensor:
        if wrong:
            raise RuntimeError(f"{wrong[0]}\nCUDA kernel errors might be asynchronously reported")
        return real(*size)

    monkeypatch.setattr(torch, "ones", ones)
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return wrong


def test_device_auto_is_cuda_or_cpu_but_never_mps(gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.select_device("auto") == torch.device("cuda")
    assert devices.select_device("mps") == torch.device("mps")
    assert devices.select_device("cuda:1") == torch.device("cuda:1")
    assert torch.backends.cudnn.rnn.fp32_precision == "ieee"  # type: ignore[attr-defined]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.select_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="--device cuda: not available on this machine; available: mps, cpu"):
        devices.select_device("cuda")


def test_device_auto_with_broken_gpu_is_cpu_with_a_line(gpus: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    gpus.append("CUDA error: no kernel image is available for execution on the device")
    assert devices.select_device("auto") == torch.device("cpu")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cpu, because the GPU does not work: CUDA error: no kernel image" in said
    with pytest.raises(DeviceError, match=r"--device cuda: .* no kernel.*; install .*CUDA 12\.6.* --device cpu"):
        devices.select_device("cuda")
    gpus[:] = ["CUDA out of memory"]
    with pytest.raises(DeviceError, match="--device cuda:1: CUDA out of memory; try --device cpu"):
        devices.select_device("cuda:1")


@pytest.mark.parametrize(("rank", "processes"), [(0, 3), (2, 3), (5, 8)])
def test_more_processes_than_gpus_is_one_line_each(
    rank: int, processes: int, gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    with pytest.raises(
        DeviceError, match=rf"has 2 GPUs for {max(processes, rank + 1)} processes \(this is process {rank}\)"
    ) as caught:
        devices.select_device("auto")
    assert "use torchrun --nproc-per-node 2, or --device cpu" in str(caught.value)
    assert should_report(caught.value)
    assert devices.select_device("cpu") == torch.device("cpu")


def test_device_auto_gives_each_process_its_gpu(gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.select_device("auto") == torch.device("cuda:1")


@pytest.mark.parametrize(
    "words", ["CUDA out of memory. Tried to allocate", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"]
)
def test_out_of_memory_is_recognized_by_any_message(words: str) -> None:
    assert is_out_of_memory(RuntimeError(f"error: {words} when calling"))
    assert not is_out_of_memory(ValueError(words))


FULL = RuntimeError("CUDA out of memory")
BROKEN = CaptureError("the GPU failed to capture a CUDA graph (why); try CHARRNN_GRAPHS=0")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What takes this process's place: words and environment."""
    found: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda path, words, environment: found.append((words[1:], environment)))
    monkeypatch.setattr(sys, "argv", ["charrnn", "train", "a.txt"])
    return found


def test_training_restarts_without_cuda_graphs(
    started: list[tuple[list[str], dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    restart.start_again(BROKEN, "cuda", path, [Path("a.txt")])
    (words, environment), *more = started
    assert (words, environment["CHARRNN_GRAPHS"], more) == (["-m", "charrnn", "train", "a.txt"], "0", [])
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "model-last.safetensors").touch()
    restart.start_again(BROKEN, "cuda", path, [Path("a.txt")])
    assert started[1][0][-1] == "--resume"
    restart.start_again(BROKEN, "cuda", path, [Path("a.txt")], before=restart.state_of(path))
    assert started[2][0][-1] == "a.txt", "the state of an earlier training is not resumed"


def test_training_restarts_on_cpu_unless_gpu_is_explicit(
    started: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    restart.start_again(FULL, "cuda", tmp_path / "a.safetensors", [])
    assert not started
    restart.start_again(FULL, "auto", tmp_path / "a.safetensors", [])
    assert started[0][0][-2:] == ["--device", "cpu"]
    assert started[0][1].get("CHARRNN_GRAPHS") != "0"


def test_restart_after_other_errors_or_of_standard_input_is_refused(
    started: list[tuple[list[str], dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart.start_again(ValueError("a bug"), "auto", tmp_path / "a.safetensors", [])
    restart.start_again(BROKEN, "auto", tmp_path / "a.safetensors", [Path("-")])
    monkeypatch.setenv("WORLD_SIZE", "2")
    restart.start_again(BROKEN, "auto", tmp_path / "a.safetensors", [])
    assert not started
