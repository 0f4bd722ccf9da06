"""Fit a mixture of a network and n-gram models: train the gate on held-out blocks of the training part.

No model has read the blocks when the gate is fitted: a gate fitted on text that its models have memorized trusts them
too much. The n-grams of the mixture are then those of the whole training part; the network is not trained on the
blocks. The blocks are spread
over the text, because a single one, such as the end, holds names and subjects that occur nowhere else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from charrnn.config import NgramConfig
from charrnn.errors import TextError
from charrnn.models.hardware.thread_tuner import make_thread_tuner
from charrnn.models.interpolated import Network
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel, NgramLike
from charrnn.models.ngram.blend import blend_parts
from charrnn.progress import Progress

SHARE = 0.03
"""Fraction of the training part held out for the gate."""
MIN_CHARACTERS, MAX_CHARACTERS = 500, 100_000
"""Minimum and maximum number of characters held out for the gate."""
MAX_NUMBERS = 1 << 24
"""Maximum number of log-probabilities of the held-out blocks in memory, for each model."""
BLOCK = 1000
"""Length of a block in characters."""
CONTEXT = 256
"""Number of characters read before each block."""
MAX_COPIED = 1 << 26
"""Maximum length of a training part that is copied without its blocks; from a longer one only the end is held out."""
ROWS = 8
"""Number of blocks scored at a time."""
GATE_SECONDS = 2.0
"""Approximate seconds to fit the gate."""
NETWORK_SECONDS = 1.5e-5
"""Approximate seconds in which a network reads a character once more, when the mixture is scored (LSTM 2x256)."""
PROBE_CHARACTERS = 1000
"""Number of characters read to measure the speed of the n-grams."""
STEPS, BATCH_SIZE = 600, 1024
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 1e-3
LBFGS_ITERATIONS = 50
ENOUGH_FOR_GATE = 10_000
"""Number of held-out characters above which the gate is always better than simpler mixtures."""


class HeldOutBlocks(NamedTuple):
    """The training part, divided into text for the models and blocks for the gate.

    Attributes:
        rest: (M,) the text without the blocks.
        blocks: (N, C + L) the blocks, each with C preceding characters of context.
        context: C, the length of the context.
    """

    rest: NDArray[Any]
    blocks: NDArray[Any]
    context: int

    @property
    def characters(self) -> int:
        """The number of characters held out for the gate."""
        number, length = self.blocks.shape
        return int(number * (length - self.context))


class MixtureTrainer:
    """Trainer of a mixture: fits the n-grams before the network is trained, and the gate afterwards.

    The n-grams are a blend. Their discounts, a few hundred numbers, are fitted once, on the whole training part.

    Args:
        ids: (N,) the training part.
        vocab_size: number of different characters, V.
        config: configuration of the n-grams.
        classes: (V,) the class of each character in the folded text (see `fold`); None without folded n-grams.
        progress: progress callback, in steps of counting.

    Attributes:
        held_out: the text that the network may be trained on, and the held-out blocks.
        ngrams: the n-gram models of the whole training part.
        seconds: seconds that fitting them took.
    """

    def __init__(
        self,
        ids: NDArray[Any],
        vocab_size: int,
        config: NgramConfig,
        classes: NDArray[np.int64] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.config, self.held_out = config, hold_out_blocks(ids, vocab_size)
        started = time.perf_counter()
        self._parts = blend_parts(config, vocab_size, classes)
        counts = [part.count(ids, progress) for part in self._parts]
        self.ngrams = [part.model(counted, ids) for part, counted in zip(self._parts, counts, strict=True)]
        self._discounts = [replace(counted, orders=()) for counted in counts]  # counts may be large
        self.seconds = time.perf_counter() - started

    def reserved(self, characters: int) -> float:
        """Return the seconds to reserve for `finish`, and for scoring a text with the mixture."""
        probe = torch.from_numpy(self.held_out.blocks[:1, :PROBE_CHARACTERS].astype(np.int64))
        self.ngrams[0](probe)  # the first call is slow: it loads the C code
        started = time.perf_counter()
        for ngram in self.ngrams:
            ngram(probe)
        per_character = (time.perf_counter() - started) / probe.numel() + NETWORK_SECONDS
        return self.seconds / 2 + GATE_SECONDS + per_character * (self.held_out.characters + characters)

    def finish(self, network: Network | None, seed: int) -> MixtureModel:
        """Fit the gate, see `fit_gate`, and return the mixture. Without a network it is one of n-grams alone."""
        rest, pairs = self.held_out.rest, zip(self._parts, self._discounts, strict=True)
        ngrams = [part.model(discounts.recount(part.text(rest)), rest) for part, discounts in pairs]
        mixture = fit_gate(network, ngrams, self.held_out, seed)
        mixture.ngrams = [*self.ngrams]
        return mixture


def hold_out_blocks(ids: NDArray[Any], vocab_size: int) -> HeldOutBlocks:
    """Hold out evenly spread blocks of a training part for the gate; the last block is the end of the text.

    Raises:
        TextError: the training part has fewer than four characters.
    """
    max_kept = min(MAX_CHARACTERS, MAX_NUMBERS // vocab_size)
    kept = min(len(ids) // 4, max(MIN_CHARACTERS, min(max_kept, int(SHARE * len(ids)))))
    if not kept:
        raise TextError(f"{len(ids)} characters are too few for a mixture; use a longer text, or remove --with-ngram")
    number = max(1, kept // BLOCK) if len(ids) <= MAX_COPIED else 1
    length = kept // number
    context = min(CONTEXT, len(ids) // number - length)
    ends = [(i + 1) * len(ids) // number for i in range(number)]
    blocks = np.stack([ids[end - length - context : end] for end in ends])
    pieces = [ids[begin : end - length] for begin, end in zip([0, *ends], ends, strict=False)]
    return HeldOutBlocks(pieces[0] if number == 1 else np.concatenate(pieces), blocks, context)


def fit_gate(
    network: Network | None, counts: Sequence[NgramLike], held_out: HeldOutBlocks, seed: int = 0
) -> MixtureModel:
    """Fit the gate of a mixture on text that no model has seen.

    On little text a gate may be worse than fixed weights, or than one model alone. All of them are then compared by
    two-fold cross-validation, and one with more parameters wins only if it is better by more than a standard error
    (Breiman et al. 1984).

    Args:
        network: the network, in evaluation mode; it is not changed. None for a mixture of n-grams alone.
        counts: n-gram models of the text without the blocks.
        held_out: the held-out blocks.
        seed: seed of the gate's initial weights and its batches.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixture = MixtureModel(network, counts)
    targets = torch.from_numpy(held_out.blocks[:, held_out.context :].astype(np.int64)).flatten()
    predictions = (*(_log_probs(model, held_out) for model in mixture.models), targets)
    fit: Fit = _fit_gate
    if len(targets) < ENOUGH_FOR_GATE:
        alone = [_alone(i) for i in range(len(mixture.models))]
        others: list[Fit] = [_fit_weights, _fit_gate]
        losses = {fit: _cross_validate(fit, mixture, predictions, generator) for fit in (*alone, *others)}
        fit = min(alone, key=lambda candidate: float(losses[candidate].mean()))
        for candidate in others:
            gain = losses[fit] - losses[candidate]
            if gain.mean() > gain.std() / math.sqrt(len(gain)):
                fit = candidate
    fit(mixture, predictions, generator)
    return (mixture.to(network.device) if network else mixture).eval()


Predictions = tuple[Tensor, ...]
"""Predictions for N held-out characters: log-probabilities (N, V) of the network and of each n-gram model, and the
characters (N,)."""
Fit = Callable[[MixtureModel, Predictions, torch.Generator], None]
"""A function that sets the gate of a mixture."""


def _fit_gate(mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> None:
    """Fit the whole gate with AdamW on random characters."""
    tuner = make_thread_tuner()
    optimizer = torch.optim.AdamW(mixture.gate.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / STEPS)
        rows = torch.randint(0, len(predictions[-1]), (BATCH_SIZE,), generator=generator)
        with tuner.piece():
            loss = _losses(mixture, [part[rows] for part in predictions]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def _fit_weights(mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> None:
    """Fit constant weights with LBFGS on all characters."""
    bias = mixture.last.bias
    _set_weights(mixture, torch.full_like(bias, 1 / len(bias)))
    optimizer = torch.optim.LBFGS([bias], max_iter=LBFGS_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        mean = _losses(mixture, predictions).mean()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean

    optimizer.step(loss)  # type: ignore[no-untyped-call]


def _alone(index: int) -> Fit:
    """Return a fit that uses one of the models alone."""

    def fit(mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> None:
        weights = torch.zeros_like(mixture.last.bias)
        weights[index] = 1
        _set_weights(mixture, weights)

    return fit


def _set_weights(mixture: MixtureModel, weights: Tensor) -> None:
    """Use constant weights."""
    with torch.no_grad():
        mixture.last.weight.zero_()
        mixture.last.bias.copy_(weights)


def _losses(mixture: MixtureModel, predictions: Sequence[Tensor]) -> Tensor:
    """Return the loss of a mixture for each character, (N,) nats."""
    *log_probs, targets = predictions
    return functional.cross_entropy(mixture.mix(log_probs), targets, reduction="none")


def _cross_validate(fit: Fit, mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> Tensor:
    """Return the loss of each half after a fit to the other, (N,) nats; the gate is restored."""
    middle = len(predictions[-1]) // 2
    halves = tuple(part[:middle] for part in predictions), tuple(part[middle:] for part in predictions)
    before = {name: tensor.clone() for name, tensor in mixture.gate.state_dict().items()}
    losses = []
    for half, other in (halves[::-1], halves):
        fit(mixture, half, generator)
        with torch.no_grad():
            losses.append(_losses(mixture, other))
        mixture.gate.load_state_dict(before)
    return torch.cat(losses)


@torch.no_grad()
def _log_probs(model: LanguageModel, held_out: HeldOutBlocks) -> Tensor:
    """Return a model's log-probabilities for the characters of all blocks, (N · L, V)."""
    tokens = torch.from_numpy(held_out.blocks[:, :-1].astype(np.int64))
    logits_of_blocks = (model(rows)[0][:, held_out.context - 1 :] for rows in torch.split(tokens, ROWS))
    return torch.cat([torch.log_softmax(logits.float(), -1).cpu().flatten(0, 1) for logits in logits_of_blocks])
