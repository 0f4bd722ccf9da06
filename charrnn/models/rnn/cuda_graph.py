"""Reading and sampling on a GPU: steps are captured as CUDA graphs, and blocks of characters are sampled on the device.

One step is dozens of kernels of a few microseconds each; launching them from Python takes longer than running them, and
sampling on the host means waiting for each character. If the next draws only need random numbers, a whole block is
therefore sampled ahead, with the same random numbers, so a seed still gives the same text.

On other devices the same functions run without capture, which is how they are tested.
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
"""The number of characters sampled ahead at a time."""
STEPS_BEFORE_CAPTURE = 256
"""The number of steps before a graph is captured. A capture takes as long as about 100 steps, so short texts, such as
the 200 characters sampled during training, do not repay it; and a failed capture would end the training."""


class CudaGraphStepper(Stepper):
    """A stepper for B texts on a GPU.

    Between blocks, `_state` is the state after all characters read. Within a block, `_used` characters have been
    returned, and as many have been read: the block's first input, and all returned characters except the last.

    Args:
        model: a network.
        empty: the state before the first character, (B, S) per layer, on the model's device.
        state: the state to continue from; None before the first character.
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
        """A copy of the current state; None before the first character."""
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
            self._read = self._capture(self._take_step)
        self._tokens.copy_(torch.from_numpy(tokens))
        (self._read or self._take_step)()
        logits: Logits = self._logits.cpu().numpy()
        return logits

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        has_blocks = self._draw is not None or (self._steps_taken >= STEPS_BEFORE_CAPTURE and self._may_capture())
        if not isinstance(draw, TemperatureSampler) or not has_blocks:
            return draw(self.read(tokens))
        if self._used == BLOCK_LENGTH and np.array_equal(tokens, self._block[-1]):
            self._used = 0  # `_state` is already the state at the end of the block
        elif self._used and not (draw is self._drawer and np.array_equal(tokens, self._block[self._used - 1])):
            self._leave_block()
        if not self._used:
            self._draw_block(tokens, draw)
        drawn = self._block[self._used]
        if (drawn < 0).any():  # no character has a probability; the sampler raises the error
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
            self._draw = self._capture(self._take_block)
        self._has_read, self._first, self._drawer = True, tokens.copy(), draw
        self._tokens.copy_(torch.from_numpy(tokens))
        self._uniforms.copy_(torch.from_numpy(draw.peek(BLOCK_LENGTH).T))
        self._temperature.fill_(draw.temperature)
        self._draw()
        self._block = self._drawn.cpu().numpy()

    def _leave_block(self) -> None:
        """Discard the rest of a block."""
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
            self._tokens.copy_(draw_on_device(self._logits, self._temperature, self._uniforms[number]))
            self._drawn[number].copy_(self._tokens)
            self._tokens.clamp_(min=0)

    def _capture(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return a function that replays `function` as a CUDA graph; without CUDA, `function` itself.

        Raises:
            CaptureError: CUDA cannot capture the function; the process must end.
        """
        if not has_cuda_graphs(self._device):
            return function
        before = [part.clone() for part in self._state]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):  # streams and graphs belong to the current device
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                function()  # a first run outside the capture creates everything that is created lazily
            try:
                with torch.cuda.graph(graph, stream=stream):
                    function()
            except RuntimeError as error:  # raised by CUDA for anything that cannot be captured
                raise CaptureError(capture_error_message(error)) from error
            torch.cuda.current_stream().wait_stream(stream)
            _copy(before, self._state)
        return graph.replay


def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source.detach())


def draw_on_device(logits: Tensor, temperature: Tensor, random: Tensor) -> Tensor:
    """Draw a token per row: the index at which a random number falls into the cumulative probabilities.

    Args:
        logits: (B, V).
        temperature: a scalar.
        random: (B,) uniform on [0, 1).

    Returns:
        (B,) int64; −1 if no character has a probability.
    """
    scores = logits.double()
    largest = scores.amax(-1, keepdim=True)
    sums = ((scores - largest) / temperature).exp().cumsum(-1)
    totals = sums[:, -1:]
    places = torch.minimum(random[:, None] * totals, torch.nextafter(totals, torch.zeros_like(totals)))
    return torch.where(largest[:, 0].isfinite(), (sums <= places).sum(-1), -1)
