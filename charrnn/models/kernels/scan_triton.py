"""The scan and the gated scan in Triton: one GPU kernel each for the forward and the backward pass.

A program handles one row and a block of units, and goes through time in chunks. A chunk is loaded at once, so that
enough memory requests are in flight; its steps are an associative scan (Blelloch 1990) whose operator is the
composition of h → a·h + b; its last state is carried to the next chunk. Gates are applied in registers, so each input
and output moves through memory once. Sums are in float32 whatever the inputs' type.

Only `kernels/scan.py` imports this module, because it imports Triton; it does so on a GPU that has passed a trial
(`hardware/gpu_features.py`). Not yet measured on a GPU. With `TRITON_INTERPRET=1` the kernels run on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

UNITS = 32
"""The number of units per program: 64 contiguous bytes in half precision, two memory sectors."""
STEPS = 128
"""The maximum number of steps per chunk; fewer for shorter texts."""
WARPS = 8
"""The number of warps per program: 16 numbers of each tensor per thread, which fit into registers even backward."""


def scan(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """Compute `scan_reference` for floats of up to 32 bits, (B, T, H); the result has h0's type."""
    return _TritonScan.apply(a, b, h0)  # type: ignore[no-any-return, no-untyped-call]


def gated_scan(gates: Tensor, h0: Tensor) -> Tensor:
    """Compute `scan.gated_scan_reference` of minGRU for floats of up to 32 bits; the result has h0's type."""
    return _TritonGatedScan.apply(gates, h0)  # type: ignore[no-any-return, no-untyped-call]


class _TritonScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
        a, b, h0 = a.contiguous(), b.contiguous(), h0.contiguous()
        h = _forward(a, b, h0, gated=False)
        ctx.save_for_backward(a, b, h0, h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b, h0, h = ctx.saved_tensors
        grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
        return grad_a, grad_b, _backward(a, b, h0, h, grad_h, grad_a, grad_b, gated=False)


class _TritonGatedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, h0: Tensor) -> Tensor:
        gates, h0 = gates.contiguous(), h0.contiguous()
        z, candidate = gates.chunk(2, -1)
        h = _forward(z, candidate, h0, gated=True)
        ctx.save_for_backward(gates, h0, h)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor, Tensor]:
        gates, h0, h = ctx.saved_tensors
        grad = torch.empty_like(gates)
        (z, candidate), (grad_z, grad_candidate) = gates.chunk(2, -1), grad.chunk(2, -1)
        return grad, _backward(z, candidate, h0, h, grad_h, grad_z, grad_candidate, gated=True)


def _forward(p: Tensor, q: Tensor, h0: Tensor, gated: bool) -> Tensor:
    """Run the forward kernel; p, q: (B, T, H) with equal strides, the last one 1."""
    rows, length, width = p.shape
    h = torch.empty(p.shape, dtype=h0.dtype, device=p.device)
    grid = (rows, triton.cdiv(width, UNITS))
    with torch.cuda.device_of(p):  # type: ignore[no-untyped-call]  # Triton launches on the current device
        _forward_kernel[grid](
            p, q, h0, h, length, width, p.stride(0), p.stride(1), gated, _piece(length), UNITS, num_warps=WARPS
        )  # fmt: skip
    return h


def _backward(
    p: Tensor, q: Tensor, h0: Tensor, h: Tensor, grad_h: Tensor, grad_p: Tensor, grad_q: Tensor, gated: bool
) -> Tensor:
    """Write grad_p and grad_q, which have the strides of p and q; return the gradient of h0."""
    rows, length, width = p.shape
    grad_h0 = torch.empty_like(h0)
    grid = (rows, triton.cdiv(width, UNITS))
    with torch.cuda.device_of(p):  # type: ignore[no-untyped-call]
        _backward_kernel[grid](
            p, q, h0, h, grad_h.contiguous(), grad_p, grad_q, grad_h0, length, width, p.stride(0), p.stride(1),
            gated, _piece(length), UNITS, num_warps=WARPS,
        )  # fmt: skip
    return grad_h0


def _piece(length: int) -> int:
    return min(STEPS, 1 << (length - 1).bit_length())  # a power of two, as Triton requires


@triton.jit
def _then(a, b, c, d):  # type: ignore[no-untyped-def]
    """Compose h → a·h + b with h → c·h + d, in this order."""
    return a * c, c * b + d


@triton.jit
def _forward_kernel(  # type: ignore[no-untyped-def]
    p_ptr,
    q_ptr,
    h0_ptr,
    h_ptr,
    length,
    width,
    stride_row,
    stride_step,
    GATED: tl.constexpr,
    STEPS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """Compute all h of one row and block of units. p is a and q is b; if GATED, p is z and q the candidate."""
    row = tl.program_id(0).to(tl.int64)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = units < width
    steps = tl.arange(0, STEPS)
    carried = tl.load(h0_ptr + row * width + units, mask=inside, other=0.0).to(tl.float32)
    for begin in range(0, length, STEPS):
        t = begin + steps
        mask = (t < length)[:, None] & inside[None, :]
        where = row * stride_row + t[:, None] * stride_step + units[None, :]
        p = tl.load(p_ptr + where, mask=mask, other=0.0).to(tl.float32)
        q = tl.load(q_ptr + where, mask=mask, other=0.0).to(tl.float32)
        if GATED:
            z = tl.sigmoid(p)
            keep, add = 1.0 - z, z * q
        else:
            keep, add = p, q
        kept, added = tl.associative_scan((keep, add), 0, _then)
        h = kept * carried[None, :] + added
        tl.store(h_ptr + (row * length + t[:, None]) * width + units[None, :], h, mask=mask)
        carried = tl.sum(tl.where(steps[:, None] == STEPS - 1, h, 0.0), 0)


@triton.jit
def _backward_kernel(  # type: ignore[no-untyped-def]
    p_ptr,
    q_ptr,
    h0_ptr,
    h_ptr,
    grad_h_ptr,
    grad_p_ptr,
    grad_q_ptr,
    grad_h0_ptr,
    length,
    width,
    stride_row,
    stride_step,
    GATED: tl.constexpr,
    STEPS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """Compute g_t = ∂h_t + keep_{t+1} · g_{t+1}, last chunk first; ∂add_t = g_t, ∂keep_t = g_t · h_{t−1}."""
    row = tl.program_id(0).to(tl.int64)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = units < width
    steps = tl.arange(0, STEPS)
    h0 = tl.load(h0_ptr + row * width + units, mask=inside, other=0.0).to(tl.float32)
    carried = tl.zeros((UNITS,), tl.float32)
    for begin in range(0, length, STEPS):
        t = length - 1 - begin - steps  # a chunk is read from its end, so that the scan runs forward
        mask = (t >= 0)[:, None] & inside[None, :]
        where = row * stride_row + t[:, None] * stride_step + units[None, :]
        index = (row * length + t[:, None]) * width + units[None, :]
        after = tl.load(p_ptr + where + stride_step, mask=mask & (t + 1 < length)[:, None], other=0.0)
        keep_after = 1.0 - tl.sigmoid(after.to(tl.float32)) if GATED else after.to(tl.float32)
        grad_h = tl.load(grad_h_ptr + index, mask=mask, other=0.0).to(tl.float32)
        kept, added = tl.associative_scan((keep_after, grad_h), 0, _then)
        g = kept * carried[None, :] + added
        carried = tl.sum(tl.where(t[:, None] == tl.maximum(length - begin - STEPS, 0), g, 0.0), 0)
        before = tl.load(h_ptr + index - width, mask=mask & (t > 0)[:, None], other=0.0).to(tl.float32)
        before = tl.where((t == 0)[:, None], h0[None, :], before)
        if GATED:
            z = tl.sigmoid(tl.load(p_ptr + where, mask=mask, other=0.0).to(tl.float32))
            candidate = tl.load(q_ptr + where, mask=mask, other=0.0).to(tl.float32)
            tl.store(grad_p_ptr + where, g * (candidate - before) * z * (1.0 - z), mask=mask)
            tl.store(grad_q_ptr + where, g * z, mask=mask)
        else:
            tl.store(grad_p_ptr + where, g * before, mask=mask)
            tl.store(grad_q_ptr + where, g, mask=mask)
    first = tl.load(p_ptr + row * stride_row + units, mask=inside, other=0.0).to(tl.float32)
    keep_first = 1.0 - tl.sigmoid(first) if GATED else first
    tl.store(grad_h0_ptr + row * width + units, keep_first * carried, mask=inside)
