"""Steps on a GPU: recorded once as CUDA graphs, and many characters at a time, drawn on the device.

A step is dozens of kernels of a few microseconds, which take Python longer to ask for than the GPU to do; and a
character that is drawn on the host must be waited for. So where the next draws need nothing but random numbers, a block
of characters is drawn ahead, with the numbers that the draw would take; the texts are those of its seeds all the same.

On another device the same functions run as they are, which is how they are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from charrnn.errors import CaptureError
from charrnn.models.hardware.gpu_features import capture_error_message, has_cuda_graphs, is_allowed
from charrnn.models.language_model import LanguageModel, State
from charrnn.models.stepper import Logits, Sampler, Stepper, TemperatureSampler, Tokens

BLOCK_LENGTH = 32
"""Characters that are drawn ahead at a time."""
STEPS_BEFORE_CAPTURE = 256
"""Steps that are taken one by one before a graph is captured. A capture costs about 100 steps, so a text of 200
characters, such as those that are sampled during a training, is not worth one; and one that fails would end it."""


class CudaGraphStepper(Stepper):
    """B texts on a GPU.

    Between blocks, `_state` is the one after all that was read. Within one, `_used` characters have been handed out,
    and so as many have been read: the block's first, which came from outside, and all but the last of those.

    Args:
        model: a network.
        empty: the model's state before the first character, (B, S) for each layer, on its device.
        state: as for the model itself.
    """

    def __init__(self, model: LanguageModel, empty: State, state: State | None) -> None:
        self.model, self._device, batch_size = model, empty[0].device, len(empty[0])
        device = self._device
        self._has_read, self._steps_taken, self._used = state is not None, 0, 0
        self._state = [part.clone() for part in empty]
        self._start = [torch.empty_like(part) for part in self._state]
        if state is not None:
            _copy(state, self._state)
        self._tokens = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self._logits = torch.zeros(batch_size, model.vocab_size, device=device)
        self._uniforms = torch.zeros(BLOCK_LENGTH, batch_size, dtype=torch.float64, device=device)
        self._drawn = torch.zeros(BLOCK_LENGTH, batch_size, dtype=torch.int64, device=device)
        self._temperature = torch.ones((), dtype=torch.float64, device=device)
        self._first, self._block = np.zeros(batch_size, np.int64), np.zeros((BLOCK_LENGTH, batch_size), np.int64)
        self._drawer: TemperatureSampler | None = None
        self._read: Callable[[], None] | None = None
        self._draw: Callable[[], None] | None = None

    @property
    def state(self) -> State | None:
        """A copy."""
        if not self._has_read:
            return None
        if not self._used:
            return tuple(part.clone() for part in self._state)
        tokens = torch.from_numpy(np.vstack((self._first[None], self._block[: self._used - 1]))).t()
        with torch.no_grad():
            after: State = self.model(tokens, tuple(self._start))[1]
        return after

    def read(self, tokens: Tokens) -> Logits:
        self._leave_block()
        self._has_read = True
        self._steps_taken += 1
        if self._read is None and self._steps_taken > STEPS_BEFORE_CAPTURE and self._may_capture():
            self._read = self._captured(self._take_step)
        self._tokens.copy_(torch.from_numpy(tokens))
        (self._read or self._take_step)()
        logits: Logits = self._logits.cpu().numpy()
        return logits

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        has_blocks = self._draw is not None or (self._steps_taken >= STEPS_BEFORE_CAPTURE and self._may_capture())
        if not isinstance(draw, TemperatureSampler) or not has_blocks:
            return draw(self.read(tokens))
        if self._used == BLOCK_LENGTH and np.array_equal(tokens, self._block[-1]):
            self._used = 0  # `_state` is that of the block's end
        elif self._used and not (draw is self._drawer and np.array_equal(tokens, self._block[self._used - 1])):
            self._leave_block()
        if not self._used:
            self._draw_block(tokens, draw)
        drawn = self._block[self._used]
        if (drawn < 0).any():  # no character has a probability: the draw says what is wrong
            if not self._used:
                _copy(self._start, self._state)
            return draw(self.read(tokens))
        self._used += 1
        draw.uniforms()
        chosen: Tokens = drawn.copy()
        return chosen

    def _may_capture(self) -> bool:
        return not has_cuda_graphs(self._device) or is_allowed("graphs", self._device)

    def _draw_block(self, tokens: Tokens, draw: TemperatureSampler) -> None:
        if self._draw is None:
            self._draw = self._captured(self._take_block)
        self._has_read, self._first, self._drawer = True, tokens.copy(), draw
        self._tokens.copy_(torch.from_numpy(tokens))
        self._uniforms.copy_(torch.from_numpy(draw.peek(BLOCK_LENGTH).T))
        self._temperature.fill_(draw.temperature)
        self._draw()
        self._block = self._drawn.cpu().numpy()

    def _leave_block(self) -> None:
        """Give up what is left of a block."""
        if self._used:
            _copy(self.state or (), self._state)
            self._used = 0

    @torch.no_grad()
    def _take_step(self) -> None:
        logits, after = self.model(self._tokens[:, None], tuple(self._state))
        self._logits.copy_(logits[:, 0])
        _copy(after, self._state)

    @torch.no_grad()
    def _take_block(self) -> None:
        _copy(self._state, self._start)
        for number in range(BLOCK_LENGTH):
            self._take_step()
            self._tokens.copy_(drawn_from(self._logits, self._temperature, self._uniforms[number]))
            self._drawn[number].copy_(self._tokens)
            self._tokens.clamp_(min=0)

    def _captured(self, function: Callable[[], None]) -> Callable[[], None]:
        """What does the same as a function of this object's tensors.

        Raises:
            CaptureError: CUDA cannot record it; the process must end.
        """
        if not has_cuda_graphs(self._device):
            return function
        before = [part.clone() for part in self._state]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):  # streams and graphs are the current device's
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                function()  # once as it is: what is made at first use must be there
            try:
                with torch.cuda.graph(graph, stream=stream):
                    function()
            except RuntimeError as error:  # CUDA says so of whatever it cannot record
                raise CaptureError(capture_error_message(error)) from error
            torch.cuda.current_stream().wait_stream(stream)
            _copy(before, self._state)
        return graph.replay


def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source.detach())


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
