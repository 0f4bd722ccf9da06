"""The elementwise linear recurrence h_t = a_t · h_{t−1} + b_t, alone and with the gates of minGRU and minLSTM.

`scan_reference` and `gated_scan_reference` are the definitions; the cells call `scan` and `gated_scan`. Unlike the
log-space form of the paper (arXiv 2410.01201, appendix B), this form needs no special case for a carried state. The
gates do not depend on the state; in PyTorch, the gates alone take a dozen passes over memory, forward and backward. In
C (`native/scan.c`), gates and scan are one pass each way; on a GPU with Triton (`kernels/scan_triton.py`), a scan, and
the gated scan of minGRU, are one kernel each way.
"""

from __future__ import annotations

import ctypes
import functools
import os
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from charrnn.models.hardware.gpu_features import is_allowed
from charrnn.models.kernels.build import address, native_library, thread_count


def scan_reference(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """Compute the recurrence step by step.

    Args:
        a: (B, T, H), the factor of the previous state at each step.
        b: (B, T, H), the term added at each step.
        h0: (B, H), the state before the first step.

    Returns:
        (B, T, H): h_1 … h_T.
    """
    h, out = h0, []
    for a_t, b_t in zip(a.unbind(1), b.unbind(1), strict=True):
        h = a_t * h + b_t
        out.append(h)
    return torch.stack(out, 1)


def scan(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """Compute `scan_reference` faster: with Triton on a GPU, in C on a CPU, otherwise stepwise in place."""
    triton = _triton_for(a, b, h0)
    if triton:
        return triton.scan(a, b, h0)  # type: ignore[no-any-return]
    fits = all(part.device.type == "cpu" and part.dtype == torch.float32 for part in (a, b, h0)) and b.numel() > 0
    library = native_library() if fits else None
    if library is None:
        return _StepwiseScan.apply(a, b, h0)  # type: ignore[no-any-return, no-untyped-call]
    return _CompiledScan.apply(library, a, b, h0)  # type: ignore[no-any-return, no-untyped-call]


def gated_scan_reference(p: Tensor, h0: Tensor) -> Tensor:
    """minGRU: z, c = p; h_t = (1−σ(z)) ⊙ h_{t−1} + σ(z) ⊙ c.

    minLSTM: f, i, c = p; h_t = (σ(f) ⊙ h_{t−1} + σ(i) ⊙ c) / (σ(f) + σ(i)).

    Args:
        p: (B, T, 2H) for minGRU, (B, T, 3H) for minLSTM: the gates' pre-activations, and the candidate.
        h0: (B, H), the state before the first step.

    Returns:
        (B, T, H): h_1 … h_T, in the precision of h0.
    """
    return scan_reference(*_coefficients(p, h0), h0)


def gated_scan(p: Tensor, h0: Tensor) -> Tensor:
    """Compute `gated_scan_reference` faster and in less memory."""
    triton = _triton_for(p, h0) if p.shape[-1] == 2 * h0.shape[1] else None
    if triton:
        return triton.gated_scan(p, h0)  # type: ignore[no-any-return]
    fits = p.device.type == "cpu" and p.dtype in (torch.float32, torch.bfloat16) and h0.dtype == torch.float32
    library = native_library() if fits and p.numel() else None
    if library is None:
        return scan(*_coefficients(p, h0), h0)
    return _CompiledGatedScan.apply(library, p, h0)  # type: ignore[no-any-return, no-untyped-call]


def _coefficients(p: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factor and the term of each step, (B, T, H) each."""
    *gates, candidate = p.to(h0.dtype).chunk(p.shape[-1] // h0.shape[1], dim=-1)
    if len(gates) == 1:
        return torch.sigmoid(-gates[0]), torch.sigmoid(gates[0]) * candidate
    # σ(f) / (σ(f) + σ(i)) = σ(log σ(f) − log σ(i)) avoids 0 / 0 when both gates are closed.
    odds = functional.logsigmoid(gates[0]) - functional.logsigmoid(gates[1])
    return torch.sigmoid(odds), torch.sigmoid(-odds) * candidate


def _triton_for(*inputs: Tensor) -> ModuleType | None:
    """Return the Triton kernels if they support these tensors."""
    if all(part.is_cuda and part.dtype.itemsize <= 4 and part.numel() for part in inputs):
        return _triton(inputs[0].device)
    return None


@functools.cache
def _triton(device: torch.device) -> ModuleType | None:
    """Return the Triton kernels if they passed their trial on this GPU.

    Triton needs a C compiler, Python's headers and a recent GPU.
    """
    if not is_allowed("triton", device):
        return None
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # Triton 3.9 warns if this is not set
    from charrnn.models.kernels import scan_triton

    return scan_triton


class _StepwiseScan(torch.autograd.Function):
    """The scan in PyTorch, stepwise; backward is g_t = ∂h_t + a_{t+1} · g_{t+1}, with ∂b = g, ∂a_t = g_t · h_{t−1}."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
        h = torch.empty_like(b)
        before = h0
        for a_t, b_t, h_t in zip(a.unbind(1), b.unbind(1), h.unbind(1), strict=True):
            torch.addcmul(b_t, a_t, before, out=h_t)
            before = h_t
        ctx.save_for_backward(a, h, h0)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, h, h0 = ctx.saved_tensors
        g = grad_h.clone()
        steps_a, steps_g = a.unbind(1), g.unbind(1)
        for t in range(len(steps_g) - 2, -1, -1):
            steps_g[t].addcmul_(steps_a[t + 1], steps_g[t + 1])
        before = torch.cat((h0[:, None], h[:, :-1]), dim=1)
        return g * before, g, steps_a[0] * steps_g[0]


class _CompiledScan(torch.autograd.Function):
    """The scan in C (`native/scan.c`): one pass over memory forward, one backward."""

    @staticmethod
    def forward(ctx: Any, library: ctypes.CDLL, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
        a, b, h0 = a.contiguous(), b.contiguous(), h0.contiguous()
        h = torch.empty_like(b)
        sizes = map(ctypes.c_long, b.shape)
        library.scan_forward(*map(address, (a, b, h0, h)), *sizes, thread_count(h0.numel(), h.numel()))
        ctx.save_for_backward(a, h, h0)
        ctx.library = library
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        a, h, h0 = ctx.saved_tensors
        grad_h = grad_h.contiguous()
        grad_a, grad_b, grad_h0 = torch.empty_like(a), torch.empty_like(a), torch.empty_like(h0)
        arrays = map(address, (grad_h, a, h, h0, grad_a, grad_b, grad_h0))
        ctx.library.scan_backward(*arrays, *map(ctypes.c_long, h.shape), thread_count(h0.numel(), h.numel()))
        return None, grad_a, grad_b, grad_h0


class _CompiledGatedScan(torch.autograd.Function):
    """The gated scan in C; recomputing the gates for the gradient is cheaper than reading them from memory."""

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
