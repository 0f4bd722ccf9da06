"""Mixed-precision training."""

import pytest
import torch

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.optim.muon import dtype_for
from charrnn.training.optim.precision import dtype_of, fallback

PRECISION = "charrnn.training.optim.precision"
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_precision_is_used_where_device_is_fast_at_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On other devices float32 is used, with a note: an LSTM with emulated products fails in oneDNN."""
    config = TrainingConfig(precision=name)
    monkeypatch.setattr(PRECISION + ".fast_half_precisions", lambda device: frozenset({torch.bfloat16, torch.float16}))
    assert dtype_of(config, CPU) == getattr(torch, name)
    assert fallback(config, CPU) is None
    monkeypatch.setattr(PRECISION + ".fast_half_precisions", lambda device: frozenset())
    assert dtype_of(config, CPU) == torch.float32
    line = fallback(config, CPU)
    assert line is None if name == "float32" else line and line.startswith(f"float32 instead of {name}")


@pytest.mark.parametrize(
    ("capability", "auto", "bfloat16", "muon"),
    [
        ((6, 1), torch.float32, torch.float32, torch.float32),
        ((7, 5), torch.float16, torch.float16, torch.float32),
        ((9, 0), torch.float16, torch.bfloat16, torch.bfloat16),
    ],
)
def test_precision_on_gpu_falls_back_to_what_it_has(
    capability: tuple[int, int],
    auto: torch.dtype,
    bfloat16: torch.dtype,
    muon: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A T4 (7.5) emulates bfloat16; older ones have no fast half precision at all."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    gpu = torch.device("cuda", 0)
    assert dtype_of(TrainingConfig(), gpu) == auto
    config = TrainingConfig(precision="bfloat16")
    assert dtype_of(config, gpu) == bfloat16
    line = fallback(config, gpu)
    assert (line is None) == (bfloat16 == torch.bfloat16)
    assert line is None or line.endswith("instead of bfloat16, which this GPU (Tesla T4) can only emulate")
    assert dtype_for(gpu) == muon


@pytest.mark.parametrize("has", [True, False])
def test_precision_auto_is_bfloat16_where_fast(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRECISION + ".fast_half_precisions", lambda device: frozenset({torch.bfloat16} if has else ()))
    assert dtype_of(TrainingConfig(), CPU) == (torch.bfloat16 if has else torch.float32)
    assert fallback(TrainingConfig(), CPU) is None


@pytest.mark.skipif(
    torch.bfloat16 not in fast_half_precisions(), reason="needs AVX-512 BF16 or AMX: oneDNN has no such LSTM without"
)
@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_keeps_logits_and_states_in_float32(cell: str) -> None:
    """Both are close to those of single precision."""
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
