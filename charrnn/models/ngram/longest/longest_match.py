"""The longest match: relative frequencies after the longest context that occurs in the training text.

This is the infinite-gram of Liu et al. 2024 (arXiv 2401.17377), or Goldberg's counts without a maximum order: no
smoothing and no back-off. All characters that never followed the context have probability 0. The model copies when it
generates text, because a match that continues as in training is again the longest match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.config import NgramConfig
from charrnn.models.language_model import State
from charrnn.models.ngram.longest.suffix_array import ContextIndex, text_type
from charrnn.models.ngram.trie import Ints
from charrnn.models.stepper import Logits, Sampler, Stepper, TemperatureSampler, Tokens
from charrnn.progress import Progress, no_progress

MAX_PROBABILITIES = 1 << 20
"""The maximum number of probabilities computed at once."""


class LongestMatchModel:
    """A language model that predicts from the longest match in its training text.

    The index contains all positions of the training text that are followed by a character; `last` is the rank of the
    last such position. The state is one (B, 3) int64 tensor: the current match, as returned by ContextIndex.read.
    """

    def __init__(self, config: NgramConfig, vocab_size: int, index: ContextIndex, last: int) -> None:
        self.config, self.vocab_size, self.index, self.last = config, vocab_size, index, last

    @classmethod
    def fit(
        cls, ids: NDArray[Any], vocab_size: int, config: NgramConfig, progress: Progress = no_progress
    ) -> LongestMatchModel:
        """Sort the positions of a text; see `fit_ngram`."""
        index = ContextIndex.build(ids, vocab_size, followed=True, progress=progress)
        return cls(config, vocab_size, index, int((index.places == len(ids) - 1).argmax()))

    @property
    def entries(self) -> int:
        """The number of stored contexts of any length: one per character of the text."""
        return len(self.index.places)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint must store, by name."""
        arrays = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in vars(self.index).items()}
        return {**arrays, "last": torch.tensor([self.last])}

    @classmethod
    def from_tensors(cls, config: NgramConfig, vocab_size: int, tensors: dict[str, Tensor]) -> LongestMatchModel:
        """Return the model of these tensors (the inverse of `tensors`), without copying or reading whole arrays.

        Raises:
            ValueError: the tensors do not form a model; the message names the first invalid one.
        """
        names = [*ContextIndex.__annotations__, "last"]
        if sorted(tensors) != sorted(names):
            raise ValueError(f"tensors: expected {', '.join(names)}, found {', '.join(tensors) or 'none'}")
        item = text_type(vocab_size)
        places = len(tensors["text"]) - 8 // item.itemsize if tensors["text"].ndim else 0
        kind = "int64" if tensors["places"].dtype == torch.int64 else "int32"
        for name, expected, length in (
            ("text", item.name, max(places, 1) + 8 // item.itemsize),
            ("places", kind, places),
            ("shorter", kind, places),
            ("starts", "int64", vocab_size + 1),
            ("last", "int64", 1),
        ):
            dtype, shape = str(tensors[name].dtype).removeprefix("torch."), tuple(tensors[name].shape)
            if (dtype, shape) != (expected, (length,)):
                raise ValueError(f"{name}: expected {expected} of shape {(length,)}, found {dtype} of shape {shape}")
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        starts = arrays["starts"]
        if starts[0] != 1 or starts[-1] != places or starts.min() < 1 or (np.diff(starts) < 0).any():
            raise ValueError(f"starts: expected numbers increasing from 1 to {places}, found others")
        last = int(arrays.pop("last")[0])
        return cls(config, vocab_size, ContextIndex(**arrays), last)

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read characters; the logits are log-probabilities, −∞ for characters that never followed the match."""
        matches, state = self._read(tokens, state)
        ranges = matches.reshape(-1, 3)
        step = max(1, MAX_PROBABILITIES // self.vocab_size)
        log_probs = [self.log_probs(*ranges[i : i + step, :2].T) for i in range(0, len(ranges), step)]
        return torch.from_numpy(np.concatenate(log_probs)).reshape(*tokens.shape, self.vocab_size), state

    def next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Count the targets only, not all V characters."""
        matches, state = self._read(tokens, state)
        low, high, _ = np.moveaxis(matches, -1, 0)
        shares = self._counts_of(targets.cpu().numpy(), low, high) / (high - low)
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(shares).astype(np.float32)), state

    def make_stepper(self, state: State | None, batch_size: int) -> LongestMatchStepper:
        matches = [self.index.empty] * batch_size if state is None else list(map(tuple, state[0].tolist()))
        return LongestMatchStepper(self, matches)

    def _read(self, tokens: Tensor, state: State | None) -> tuple[Ints, State]:
        """Return the match after each token, (B, T, 3), and the state after the last."""
        before = np.array([self.index.empty] * len(tokens)) if state is None else state[0].numpy()
        matches = self.index.read(tokens.cpu().numpy(), before)
        return matches, (torch.from_numpy(matches[:, -1].copy()),)

    def log_probs(self, low: Ints, high: Ints) -> NDArray[np.float32]:
        """Compute (R, V) from ranges of positions, (R,) each; short ranges are counted, long ones looked up."""
        counts = np.empty((len(low), self.vocab_size), np.int64)
        few = high - low <= self.vocab_size
        counts[few] = self._counts_at(low[few], high[few])
        if not few.all():
            # Contexts with many positions are short, so there are few distinct ones.
            different, index = np.unique(np.stack((low[~few], high[~few])), axis=1, return_inverse=True)
            counts[~few] = self._counts_of(np.arange(self.vocab_size), *different[:, :, None])[index.ravel()]
        with np.errstate(divide="ignore"):
            log_probs: NDArray[np.float32] = np.log(counts / (high - low)[:, None]).astype(np.float32)
        return log_probs

    def _counts_of(self, tokens: Ints, low: Ints, high: Ints) -> Ints:
        """Count how often tokens follow the positions in ranges, with shapes that broadcast.

        The count is the number of positions after the same characters and the token, plus one if the range contains the
        last position, because the position after that is not in the index.
        """
        first, last = self.index.extend(low, high, tokens)
        at_end = (low <= self.last) & (self.last < high) & (tokens == int(self.index.text[-1]) - 1)
        counts: Ints = last - first + at_end
        return counts

    def _counts_at(self, low: Ints, high: Ints) -> Ints:
        """Count how often each character follows the positions in ranges, (R,) each, one by one: (R, V)."""
        sizes = high - low
        ranks = np.arange(sizes.sum()) + np.repeat(low - (np.cumsum(sizes) - sizes), sizes)
        keys = np.repeat(np.arange(len(low)), sizes) * self.vocab_size + self.followers(ranks)
        return np.bincount(keys, minlength=len(low) * self.vocab_size).reshape(-1, self.vocab_size)

    def followers(self, ranks: Ints) -> Ints:
        """Return the character after each position, both (R,)."""
        after = self.index.places[ranks].astype(np.int64) + self.index.per_word
        return np.clip(self.index.text.take(after, mode="clip").astype(np.int64) - 1, 0, self.vocab_size - 1)


class LongestMatchStepper(Stepper):
    """The stepper of the longest match; usually only one character can follow, and then nothing needs to be drawn."""

    def __init__(self, model: LongestMatchModel, matches: Sequence[tuple[int, int, int]]) -> None:
        self.model, self.matches = model, list(matches)

    @property
    def state(self) -> State:
        return (torch.tensor(self.matches),)

    def read(self, tokens: Tokens) -> Logits:
        self._advance(tokens)
        low, high, _ = np.array(self.matches).T
        return self.model.log_probs(low, high)

    def draw_next(self, tokens: Tokens, draw: Sampler) -> Tokens:
        if len(tokens) > 1 or not isinstance(draw, TemperatureSampler):
            return draw(self.read(tokens))
        self._advance(tokens)
        low, high, _ = self.matches[0]
        if high - low == 1:
            draw.uniform(0)  # consumed anyway, so that a text does not depend on the number of texts
            return self.model.followers(np.array([low]))
        return draw(self.model.log_probs(np.array([low]), np.array([high])))

    def _advance(self, tokens: Tokens) -> None:
        read_one = self.model.index.read_one
        self.matches = [read_one(*match, token) for match, token in zip(self.matches, tokens.tolist(), strict=True)]
