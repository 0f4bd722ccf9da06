"""The recurrence of minGRU and minLSTM: gates that do not look at the state, and the scan over them.

`gated_scan_reference` is the definition; `gated_scan` is what the cells call. In PyTorch the gates alone are a dozen
passes over memory, forward and backward; in C (`native/scan.c`) gates and scan are one each way, and on a GPU with
Triton (`kernels/scan_triton.py`) those of minGRU are.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from charrnn.models.kernels.build import address, native_library, thread_count
from charrnn.models.kernels.scan import scan, scan_reference, triton_for


def gated_scan_reference(p: Tensor, h0: Tensor) -> Tensor:
    """minGRU: z, c = p; h_t = (1−σ(z)) ⊙ h_{t−1} + σ(z) ⊙ c.

    minLSTM: f, i, c = p; h_t = (σ(f) ⊙ h_{t−1} + σ(i) ⊙ c) / (σ(f) + σ(i)).

    Args:
        p: (B, T, 2H) for a minGRU, (B, T, 3H) for a minLSTM: gates before their functions, and the candidate.
        h0: (B, H), the state before the first step.

    Returns:
        (B, T, H): h_1 … h_T, in the precision of h0.
    """
    return scan_reference(*_coefficients(p, h0), h0)


def gated_scan(p: Tensor, h0: Tensor) -> Tensor:
    """`gated_scan_reference` in less time and memory."""
    triton = triton_for(p, h0) if p.shape[-1] == 2 * h0.shape[1] else None
    if triton:
        return triton.gated_scan(p, h0)  # type: ignore[no-any-return]
    fits = p.device.type == "cpu" and p.dtype in (torch.float32, torch.bfloat16) and h0.dtype == torch.float32
    library = native_library() if fits and p.numel() else None
    if library is None:
        return scan(*_coefficients(p, h0), h0)
    return _GatedScan.apply(library, p, h0)  # type: ignore[no-any-return, no-untyped-call]


def _coefficients(p: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """What each step keeps and adds, (B, T, H) each."""
    *gates, candidate = p.to(h0.dtype).chunk(p.shape[-1] // h0.shape[1], dim=-1)
    if len(gates) == 1:
        return torch.sigmoid(-gates[0]), torch.sigmoid(gates[0]) * candidate
    # σ(f) / (σ(f) + σ(i)) = σ(log σ(f) − log σ(i)): never 0 / 0 when both gates are shut.
    odds = functional.logsigmoid(gates[0]) - functional.logsigmoid(gates[1])
    return torch.sigmoid(odds), torch.sigmoid(-odds) * candidate


class _GatedScan(torch.autograd.Function):
    """Gates are computed again for the gradient: that is less work than to read them."""

    @staticmethod
    def forward(ctx: Any, library: ctypes.CDLL, p: Tensor, h0: Tensor) -> Tensor:
        p, h0 = p.contiguous(), h0.contiguous()
        (B, T, _), H = p.shape, h0.shape[1]
        h = h0.new_empty(B, T, H)
        ctx.rest = *map(ctypes.c_long, (B, T, H)), int(p.dtype == torch.bfloat16), thread_count(B * H, B * T * H)
        ctx.gates, ctx.library = p.shape[2] // H, library
        library.gated_scan_forward(ctx.gates, *map(address, (p, h0, h)), *ctx.rest)
        ctx.save_for_backward(p, h0, h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[None, Tensor, Tensor]:
        p, h0, h = ctx.saved_tensors
        grad_h = grad_h.contiguous()
        grad_p, grad_h0 = torch.empty_like(p), torch.empty_like(h0)
        arrays = map(address, (grad_h, p, h, h0, grad_p, grad_h0))
        ctx.library.gated_scan_backward(ctx.gates, *arrays, *ctx.rest)
        return None, grad_p, grad_h0
