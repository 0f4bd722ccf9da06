"""Instruction sets, as PyTorch reports them."""

import pytest
import torch

from charrnn.models.hardware.processor import ONEDNN_LIMIT, fast_half_precisions, instruction_set

BF16 = {"avx512_bf16": True, "avx2": True}


@pytest.mark.parametrize(
    ("has", "used", "limit", "name"),
    [
        (BF16, "AVX512", None, "AVX-512 BF16"),
        (BF16 | {"amx_fp16": True}, "AVX512", "ALL", "AVX-512 BF16 FP16"),
        (BF16 | {"amx_fp16": True}, "AVX512", "AVX512_CORE_BF16", "AVX-512 BF16"),
        (BF16, "AVX512", "avx2", "AVX-512"),
        (BF16, "AVX2", None, "AVX2"),  # ATEN_CPU_CAPABILITY=avx2
        ({"avx2": True}, "AVX2", None, "AVX2"),
    ],
)
def test_fast_half_precisions_follow_the_processor_and_its_limits(
    has: dict[str, bool], used: str, limit: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has, raising=False)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: used)
    monkeypatch.delenv(ONEDNN_LIMIT, raising=False)
    if limit:
        monkeypatch.setenv(ONEDNN_LIMIT, limit)
    assert instruction_set() == name
    assert (torch.bfloat16 in fast_half_precisions()) == ("BF16" in name)


def test_fast_half_precisions_of_an_older_pytorch_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    assert fast_half_precisions() == frozenset()
