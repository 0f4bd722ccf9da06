"""The recurrence of one nn.RNN or nn.GRU layer over time.

`recurrence_reference` is the definition; the cells call `recurrence`. On a GPU, cuDNN implements these layers. On a
CPU, PyTorch has no kernel for them and calls a dozen operations per step; C code (`native/recurrence.c`), if it could
be compiled, computes the steps instead, and everything that does not depend on the state is one large PyTorch product.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charrnn.models.kernels.build import address, native_library, thread_count

Core = nn.RNN | nn.GRU


def recurrence_reference(core: Core, x: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the recurrence step by step.

    Args:
        core: an RNN or GRU of one layer, batch first.
        x: (B, T, D).
        h0: (B, H), the state before the first step.

    Returns:
        (B, T, H): h_1 … h_T; and (B, H): h_T.
    """
    step = torch.gru_cell if isinstance(core, nn.GRU) else torch.rnn_tanh_cell
    h, out = h0, []
    for x_t in x.unbind(1):
        h = step(x_t, h, *core.all_weights[0])
        out.append(h)
    return torch.stack(out, 1), h


def recurrence(core: Core, x: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `recurrence_reference` faster. Under autocast to bfloat16, only the products are in bfloat16."""
    library = native_library() if x.numel() and _fits(core, x, h0) else None
    if library is None:
        y, hidden = core(x.contiguous(), h0[None].contiguous())
        return y.to(h0.dtype), hidden[0].to(h0.dtype)
    dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
    with torch.autocast("cpu", enabled=False):
        gates = 3 if isinstance(core, nn.GRU) else 1
        weights = core.all_weights[0]
        return _Recurrence.apply(library, gates, dtype, torch.is_grad_enabled(), x, h0, *weights)  # type: ignore[no-any-return, no-untyped-call]


def _fits(core: Core, x: Tensor, h0: Tensor) -> bool:
    """Return whether the C code applies: float32, or mixed with bfloat16, on a CPU."""
    numbers = (x, h0, core.all_weights[0][0])
    return all(part.device.type == "cpu" and part.dtype == torch.float32 for part in numbers) and (
        not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


class _Recurrence(torch.autograd.Function):
    """The autograd function of the C code; internally time comes first, (T, B, …), and results are transposed views.

    The gradients of a GRU's pre-activations are stored in the order U_n h, r, z, n: the first three belong to the
    state's product, the last three to the input's. In an RNN, both products share one gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        library: ctypes.CDLL,
        gates: int,
        dtype: torch.dtype,
        keeps: bool,
        x: Tensor,
        h0: Tensor,
        w: Tensor,
        u: Tensor,
        b: Tensor,
        c: Tensor,
    ) -> tuple[Tensor, Tensor]:
        B, T, D = x.shape
        H, half = h0.shape[1], dtype == torch.bfloat16
        x = x.transpose(0, 1).to(dtype).reshape(T * B, D)
        w, u = w.to(dtype), u.contiguous()
        inputs = x @ w.t()
        bias = b + c if gates == 1 else torch.cat((b[: 2 * H] + c[: 2 * H], c[2 * H :], b[2 * H :]))
        states = h0.new_empty(T + 1, B, H)
        states[0] = h0
        halves = states.new_empty(states.shape, dtype=dtype) if half else None
        if halves is not None:
            halves[0] = h0
        saved = states.new_empty(T, B, 4 * H) if keeps and gates > 1 else None
        arrays = map(address, (inputs, u, bias, states, halves, saved))
        sizes = map(ctypes.c_long, (T, B, H))
        if library.recurrence_forward(gates, *arrays, *sizes, int(half), thread_count(B, u.numel() * T * B // H)):
            raise MemoryError("the forward pass of a recurrent layer")
        if keeps:
            ctx.save_for_backward(x, w, u, states, halves, saved)
            ctx.library, ctx.gates = library, gates
        return states[1:].transpose(0, 1), states[T].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_h: Tensor) -> tuple[Tensor | None, ...]:
        x, w, u, states, halves, saved = ctx.saved_tensors
        gates, extra = ctx.gates, int(ctx.gates > 1)
        T, B, H, D = states.shape[0] - 1, states.shape[1], states.shape[2], x.shape[1]
        count = thread_count(B, u.numel() * T * B // H)
        grad_y, grad_h = grad_y.transpose(0, 1).contiguous(), grad_h.clone(memory_format=torch.contiguous_format)
        grads = x.new_empty(T * B, (gates + extra) * H)
        grad_bias = states.new_zeros(B, (gates + extra) * H)
        rolled = u.roll(extra * H, 0)
        arrays = map(address, (grad_y, states, saved, rolled, grad_h, grads, grad_bias))
        sizes = map(ctypes.c_long, (T, B, H))
        if ctx.library.recurrence_backward(gates, *arrays, *sizes, int(halves is not None), count):
            raise MemoryError("the backward pass of a recurrent layer")
        of_input, of_state = grads[:, extra * H :], grads[:, : gates * H]
        before = (states if halves is None else halves)[:T].view(T * B, H)
        grad_x = (of_input @ w).view(T, B, D).transpose(0, 1).float() if ctx.needs_input_grad[4] else None
        grad_w, grad_u = (of_input.t() @ x).float(), (of_state.t() @ before).float().roll(-extra * H, 0)
        bias = grad_bias.sum(0)
        grad_b, grad_c = bias[extra * H :].clone(), bias[: gates * H].roll(-extra * H, 0)
        return None, None, None, None, grad_x, grad_h, grad_w, grad_u, grad_b, grad_c
