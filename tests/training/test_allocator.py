"""Freed memory that stays with the process for the next step."""

import ctypes
import resource

import pytest
import torch
from processes import run_together

from charrnn.training.step import reuse_freed_memory


def faults_of_a_step() -> int:
    """Return the number of page faults of two large tensors."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(10_000_000) for _ in range(2)]
    del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def take_steps(*_: int) -> None:
    """Compare the page faults inside and outside of `reuse_freed_memory`."""
    outside = min(faults_of_a_step() for _ in range(3))
    with reuse_freed_memory():
        steps = [faults_of_a_step() for _ in range(20)]  # the first few may each use other memory
        assert steps[-1] < outside / 10
    assert faults_of_a_step() > outside / 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_freed_memory_is_reused_by_next_step() -> None:
    """In a process of its own: memory left on the heap by earlier tests once decided the result."""
    run_together(1, take_steps)


def test_freed_memory_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    with reuse_freed_memory():
        pass
