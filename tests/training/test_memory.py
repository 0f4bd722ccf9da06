"""Memory that stays with the process."""

import ctypes
import resource

import pytest
import torch

from charrnn.training.memory import kept_memory


def faults_of_a_step() -> int:
    """Pages that the system hands out for two large tensors."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(10_000_000) for _ in range(2)]
    del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_pages_are_handed_out_once() -> None:
    # What a test before has left free on the heap is taken first: it once served these tensors, without a fault.
    taken = []
    while not (outside := min(faults_of_a_step() for _ in range(3))):
        taken.append(torch.ones(10_000_000))
    with kept_memory():
        assert min(faults_of_a_step() for _ in range(4)) < outside / 10
    assert faults_of_a_step() > outside / 2


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    with kept_memory():
        pass
