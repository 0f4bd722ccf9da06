"""Mixed precision."""

import pytest
import torch

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.models.recurrent import RecurrentModel
from charrnn.training.precision import dtype_of

CPU = torch.device("cpu")


def test_what_is_said_is_taken() -> None:
    for name in ("float32", "bfloat16", "float16"):
        assert dtype_of(TrainingConfig(precision=name), CPU) == getattr(torch, name)


@pytest.mark.parametrize(("has", "expected"), [({"avx512_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")])
def test_a_processor_without_fast_half_precision_gets_none(
    has: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has, raising=False)
    assert dtype_of(TrainingConfig(), CPU) == getattr(torch, expected)


def test_an_older_pytorch_does_not_say_what_the_processor_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    assert dtype_of(TrainingConfig(), CPU) == torch.float32


@pytest.mark.parametrize("cell", CELLS)
def test_logits_and_states_stay_in_single_precision(cell: str) -> None:
    """And are close to those of single precision throughout."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=32), 20)
    tokens = torch.randint(0, 20, (4, 30))
    expected, _ = model(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        logits, state = model(tokens)
    assert logits.dtype == torch.float32
    assert {part.dtype for part in state} == {torch.float32}
    torch.testing.assert_close(logits, expected, atol=0.03, rtol=0)
    assert not torch.equal(logits, expected)
    logits.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
