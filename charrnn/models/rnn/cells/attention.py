"""The cell that attends: a Transformer block whose state is the keys and values of the last characters."""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn.models.rnn.cells.base import Cell

HEAD_SIZE = 32
"""The smallest size of a head, in units, if the width allows several heads."""
EXPANSION = 4
"""Width of the feed-forward layer, relative to the hidden size."""
PERIODS = 8
"""The slowest rotation turns once in this number of windows."""
START = 0.1
"""Factor of the initial weights of the layers whose outputs are added to the stream."""
PIECE = 256
"""The number of characters read at a time; longer texts are read in pieces, to bound the memory."""


class Attention(Cell, name="attention", label="Attention"):
    """a = A(N(x)), y = a + F(N(x + a)): causal self-attention A and feed-forward layers F, after layer norms N.

    The Transformer block (Vaswani et al. 2017) with layer norms before its parts (Radford et al. 2019). The network
    adds the input x to y, as for every cell (`--residual`). Where the sizes of x and y differ, x is projected first,
    and y includes the projection.

    Each character attends to itself and the W − 1 characters before it (a sliding window, as in arXiv 2004.05150):
    A(x)_t = O Σ_s softmax_s(q_t · k_s / √d) v_s for each head, where q, k and v are linear in N(x). Queries and keys
    are rotated by an angle proportional to their position (RoPE, arXiv 2104.09864), so that their product depends on
    the distance. The state holds the keys and values of the last W − 1 characters; truncated BPTT with a carried state
    is therefore the memory of Transformer-XL (arXiv 1901.02860). All rotations repeat after P = 8 W characters, so that
    positions can be counted modulo P, exactly, in a text of any length.

    Args:
        input_size: D.
        hidden_size: H.
        window: W.

    Attributes:
        heads: the number of heads: one for each 32 units.
        width: A, the units of all heads: H, rounded down so that each head has the same, even number d.
        period: P.
    """

    takes_window: ClassVar[bool] = True
    has_unit_state: ClassVar[bool] = False

    def __init__(self, input_size: int, hidden_size: int, window: int = 256) -> None:
        super().__init__(input_size, hidden_size)
        self.window, self.period = window, PERIODS * window
        self.heads = max(1, hidden_size // HEAD_SIZE)
        head_size = max(2, hidden_size // self.heads // 2 * 2)
        self.width = self.heads * head_size
        self.enter = nn.Linear(input_size, hidden_size) if input_size != hidden_size else None
        # Three matrices, because Muon orthogonalizes the update of each: better than one for all three.
        self.query, self.key, self.value = (nn.Linear(hidden_size, self.width) for _ in range(3))
        self.merge = nn.Linear(self.width, hidden_size)
        self.expand = nn.Linear(hidden_size, EXPANSION * hidden_size)
        self.contract = nn.Linear(EXPANSION * hidden_size, hidden_size)
        with torch.no_grad():
            for linear in (self.merge, self.contract):
                linear.weight.mul_(START)

    @property
    def state_size(self) -> int:
        """The size S of the state: the position, then keys and values, (W − 1, A) each."""
        return 1 + 2 * (self.window - 1) * self.width

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        pieces = []
        for piece in torch.split(x, PIECE, dim=1):
            y, state = self._read(piece, state)
            pieces.append(y)
        return (pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)), state

    def states(self, x: Tensor, state: Tensor) -> Tensor:
        return self(x, state)[0]  # type: ignore[no-any-return]

    def weights(self, x: Tensor, state: Tensor) -> Tensor:
        """Return where each character looks: (B, heads, T, W − 1 + T), over the W − 1 characters before x and x."""
        q, k, _, allowed, _ = self._attended(self._entered(x), state)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        return scores.masked_fill(~allowed, -math.inf).softmax(-1)

    def _entered(self, x: Tensor) -> Tensor:
        return x if self.enter is None else self.enter(x).to(x.dtype)

    def _read(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        stream = self._entered(x)
        q, k, v, allowed, after = self._attended(stream, state)
        # On a CPU the gradients of this function take twice as long in bfloat16 as in float32.
        with torch.autocast("cpu", enabled=False):
            heard = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        a = self.merge(heard.transpose(1, 2).flatten(2))
        y = a + self.contract(functional.gelu(self.expand(normalized(stream + a))))
        return (y if self.enter is None else y + stream), after

    def _attended(self, stream: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return what `scaled_dot_product_attention` takes, and the state after all characters.

        Queries are (B, heads, T, d), keys and values (B, heads, W − 1 + T, d); the mask, (B, 1, T, W − 1 + T), is true
        for the characters that each one sees.
        """
        rows, length, _ = stream.shape
        before = self.window - 1
        z = normalized(stream)
        place = torch.arange(before + length, device=state.device)
        read = state[:, :1].long()
        turns = rotations(self.period, self.width // self.heads // 2, state.device)
        turns = turns[(read + place[:length]) % self.period][:, :, None].to(state.dtype.to_complex())
        q, k = (self._rotated(part(z).to(state.dtype), turns) for part in (self.query, self.key))
        memory = state[:, 1:].view(rows, 2, before, self.width)
        keys = torch.cat((memory[:, 0], k), dim=1)
        values = torch.cat((memory[:, 1], self.value(z).to(state.dtype)), dim=1)
        distance = place[before:, None] - place
        allowed = (distance >= 0) & (distance <= before) & (place >= before - read[..., None])
        read = read + length
        read = torch.where(read < self.period, read, self.period + read % self.period)
        after = torch.cat((read.to(state.dtype), keys[:, length:].flatten(1), values[:, length:].flatten(1)), dim=1)
        heads = (self._by_head(part) for part in (q, keys, values))
        return (*heads, allowed[:, None], after)  # type: ignore[return-value]

    def _rotated(self, part: Tensor, turns: Tensor) -> Tensor:
        """Rotate pairs of units of each head, (B, T, A) → (B, T, A), by complex numbers (B, T, 1, d / 2)."""
        pairs = torch.view_as_complex(part.reshape(*part.shape[:2], self.heads, -1, 2))
        return torch.view_as_real(pairs * turns).flatten(2)

    def _by_head(self, part: Tensor) -> Tensor:
        """(B, T, A) → (B, heads, T, d)."""
        return part.view(*part.shape[:2], self.heads, -1).transpose(1, 2)


def normalized(x: Tensor) -> Tensor:
    """Return x with mean 0 and variance 1 over its last dimension (layer norm, arXiv 1607.06450).

    It has no weights of its own, because the linear layer after it has some; their gradients would also depend on the
    number of threads.
    """
    return functional.layer_norm(x, x.shape[-1:])


@functools.lru_cache(maxsize=64)
def rotations(period: int, pairs: int, device: torch.device) -> Tensor:
    """Return the rotations of positions modulo P, (P, pairs): complex numbers of length 1.

    Pair k turns m_k times in P characters, from one radian a character down to one turn in P characters. The m_k are
    integers, so that position P is rotated as position 0 is.
    """
    fastest = period / (2 * math.pi)
    with torch.inference_mode(False):  # a tensor made in inference mode could not be used in training
        turns = torch.tensor([round(fastest ** (1 - k / max(1, pairs - 1))) for k in range(pairs)])
        angles = (torch.arange(period)[:, None] * turns % period).double() * (2 * math.pi / period)
        return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(device)
