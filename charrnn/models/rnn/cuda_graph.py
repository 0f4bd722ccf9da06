"""Steps on a GPU: recorded once as CUDA graphs, and many characters at a time, drawn on the device.

A step is dozens of kernels of a few microseconds, which take Python longer to ask for than the GPU to do; and a
character that is drawn on the host must be waited for. So where the next draws need nothing but random numbers, a block
of characters is drawn ahead, with the numbers that the draw would take; the texts are those of its seeds all the same.

On another device the same functions run as they are, which is how they are tested.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from charrnn.errors import RecordingError
from charrnn.models.kernels.gpu_features import has_graphs, is_allowed, recording_failed
from charrnn.models.language_model import State
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import Draw, Logits, Stepper, TemperedDraw, Tokens

AHEAD = 32
"""Characters of a block."""
UNRECORDED = 256
"""Steps that are taken one by one first. A recording costs about 100 steps, so a text of 200 characters, such as those
that are written during a training, is not worth one; and a recording that fails would end the training."""


class CudaGraphStepper(Stepper):
    """B texts on a GPU.

    Between blocks, `_state` is the one after all that was read. Within one, `_used` characters have been handed out,
    and so as many have been read: the block's first, which came from outside, and all but the last of those.

    Args:
        model: in evaluation mode.
        state: as for the model itself.
        batch_size: B.
    """

    def __init__(self, model: RecurrentModel, state: State | None, batch_size: int) -> None:
        self.model, device = model, model.device
        self._begun, self._taken, self._used = state is not None, 0, 0
        self._state = [part.clone() for part in model.empty_state(batch_size)]
        self._start = [torch.empty_like(part) for part in self._state]
        for mine, given in zip(self._state, state or (), strict=bool(state)):
            mine.copy_(given.detach())
        self._tokens = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self._logits = torch.zeros(batch_size, model.vocab_size, device=device)
        self._uniforms = torch.zeros(AHEAD, batch_size, dtype=torch.float64, device=device)
        self._drawn = torch.zeros(AHEAD, batch_size, dtype=torch.int64, device=device)
        self._temperature = torch.ones((), dtype=torch.float64, device=device)
        self._first, self._block = np.zeros(batch_size, np.int64), np.zeros((AHEAD, batch_size), np.int64)
        self._drawer: TemperedDraw | None = None
        self._read: Callable[[], None] | None = None
        self._draw: Callable[[], None] | None = None

    @property
    def state(self) -> State | None:
        """See Stepper; a copy."""
        if not self._begun:
            return None
        if not self._used:
            return tuple(part.clone() for part in self._state)
        tokens = torch.from_numpy(np.vstack((self._first[None], self._block[: self._used - 1]))).t()
        with torch.no_grad():
            after: State = self.model(tokens, tuple(self._start))[1]
        return after

    def read(self, tokens: Tokens) -> Logits:
        """See Stepper."""
        self._settle()
        self._begun = True
        self._taken += 1
        if self._read is None and self._taken > UNRECORDED and self._may_record():
            self._read = self._recorded(self._take_step)
        self._tokens.copy_(torch.from_numpy(tokens))
        (self._read or self._take_step)()
        logits: Logits = self._logits.cpu().numpy()
        return logits

    def draw_next(self, tokens: Tokens, draw: Draw) -> Tokens:
        """See Stepper."""
        has_blocks = self._draw is not None or (self._taken >= UNRECORDED and self._may_record())
        if not isinstance(draw, TemperedDraw) or not has_blocks:
            return draw(self.read(tokens))
        if self._used == AHEAD and np.array_equal(tokens, self._block[-1]):
            self._used = 0  # `_state` is that of the block's end
        elif self._used and not (draw is self._drawer and np.array_equal(tokens, self._block[self._used - 1])):
            self._settle()
        if not self._used:
            self._draw_block(tokens, draw)
        drawn = self._block[self._used]
        if (drawn < 0).any():  # no character has a probability: the draw says what is wrong
            if not self._used:
                for mine, start in zip(self._state, self._start, strict=True):
                    mine.copy_(start)
            return draw(self.read(tokens))
        self._used += 1
        draw.uniforms()
        chosen: Tokens = drawn.copy()
        return chosen

    def _may_record(self) -> bool:
        device = self.model.device
        return not has_graphs(device) or is_allowed("graphs", device)

    def _draw_block(self, tokens: Tokens, draw: TemperedDraw) -> None:
        if self._draw is None:
            self._draw = self._recorded(self._take_block)
        self._begun, self._first, self._drawer = True, tokens.copy(), draw
        self._tokens.copy_(torch.from_numpy(tokens))
        self._uniforms.copy_(torch.from_numpy(draw.upcoming(AHEAD).T))
        self._temperature.fill_(draw.temperature)
        self._draw()
        self._block = self._drawn.cpu().numpy()

    def _settle(self) -> None:
        """Give up what is left of a block."""
        if self._used:
            for mine, now in zip(self._state, self.state or (), strict=True):
                mine.copy_(now)
            self._used = 0

    @torch.no_grad()
    def _take_step(self) -> None:
        logits, after = self.model(self._tokens[:, None], tuple(self._state))
        self._logits.copy_(logits[:, 0])
        for mine, new in zip(self._state, after, strict=True):
            mine.copy_(new)

    @torch.no_grad()
    def _take_block(self) -> None:
        for start, now in zip(self._start, self._state, strict=True):
            start.copy_(now)
        for number in range(AHEAD):
            self._take_step()
            self._tokens.copy_(drawn_from(self._logits, self._temperature, self._uniforms[number]))
            self._drawn[number].copy_(self._tokens)
            self._tokens.clamp_(min=0)

    def _recorded(self, function: Callable[[], None]) -> Callable[[], None]:
        """What does the same as a function of this object's tensors.

        Raises:
            RecordingError: CUDA cannot record it; the process must end.
        """
        if not has_graphs(self.model.device):
            return function
        kept = [part.clone() for part in self._state]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.model.device):  # streams and graphs are the current device's
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                function()  # once as it is: what is made at first use must be there
            try:
                with torch.cuda.graph(graph, stream=stream):
                    function()
            except RuntimeError as error:  # CUDA says so of whatever it cannot record
                raise RecordingError(recording_failed(error)) from error
            torch.cuda.current_stream().wait_stream(stream)
            for mine, before in zip(self._state, kept, strict=True):
                mine.copy_(before)
        return graph.replay


def drawn_from(logits: Tensor, temperature: Tensor, random: Tensor) -> Tensor:
    """Where random numbers fall among the running sums of probabilities, as `sampling/sampler.py` draws.

    Args:
        logits: (B, V).
        temperature: a scalar.
        random: (B,) from 0 to 1, 1 excluded.

    Returns:
        (B,) int64; −1 where no character has a probability.
    """
    scores = logits.double()
    largest = scores.amax(-1, keepdim=True)
    sums = ((scores - largest) / temperature).exp().cumsum(-1)
    totals = sums[:, -1:]
    places = torch.minimum(random[:, None] * totals, torch.nextafter(totals, torch.zeros_like(totals)))
    return torch.where(largest[:, 0].isfinite(), (sums <= places).sum(-1), -1)
