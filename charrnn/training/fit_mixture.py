"""How a network and counts are put together: a gate, fitted on blocks of the training part.

The blocks are kept from both while they are fitted: a gate that is fitted on what its models know by heart trusts them
too much. Afterwards the counts take them in; the network does not. They are spread over the text: what is left out in
one piece, such as the end, takes names and subjects with it that are not met again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
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
from charrnn.models.ngram.fit import fit_ngram
from charrnn.progress import Progress

SHARE = 0.03
"""Of the training part, kept for the gate."""
MAX_CHARACTERS = 100_000
MAX_NUMBERS = 1 << 24
"""Log-probabilities of the kept part that are held at a time, of each model."""
MIN_CHARACTERS = 500
BLOCK = 1000
"""Characters of a block."""
CONTEXT = 256
"""Characters that are read before each block is predicted."""
MAX_COPIED = 1 << 26
"""Characters of a training part that is copied without its blocks; of a longer one the end is kept."""
ROWS = 8
"""Blocks that are predicted at a time."""
GATE_SECONDS = 2.0
"""About what the gate takes; scoring the mixture takes as long as the validation that is planned for."""
STEPS, BATCH_SIZE = 600, 1024
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 1e-3
LBFGS_ITERATIONS = 50
MUCH = 10_000
"""Characters kept for the gate from which on it is better than simpler ways to mix."""


class HeldOutBlocks(NamedTuple):
    """The training part: what the models are fitted on, and what the gate is.

    Attributes:
        rest: (M,) the text without the blocks.
        blocks: (N, C + L) the blocks, each with what stands before it.
        context: C.
    """

    rest: NDArray[Any]
    blocks: NDArray[Any]
    context: int

    @property
    def characters(self) -> int:
        """How many characters are kept for the gate."""
        number, length = self.blocks.shape
        return int(number * (length - self.context))


class MixtureTrainer:
    """The counts' side of a mixture, while the network is trained.

    Args:
        ids: (N,) the training part.
        vocab_size: V.
        config: of the n-grams.
        progress: progress callback, in steps of counting.

    Attributes:
        held_out: what the network may be trained on, and what is kept.
        seconds: that counting took.
    """

    def __init__(
        self, ids: NDArray[Any], vocab_size: int, config: NgramConfig, progress: Progress | None = None
    ) -> None:
        self.ids, self.vocab_size, self.config = ids, vocab_size, config
        self.held_out = hold_out_blocks(ids, vocab_size)
        started = time.perf_counter()
        self.counts = fit_ngram(self.held_out.rest, vocab_size, config, progress)
        self.seconds = time.perf_counter() - started

    @property
    def reserved(self) -> float:
        """Seconds to keep for finishing."""
        return self.seconds + GATE_SECONDS

    def finish(self, network: Network, seed: int, progress: Progress | None = None) -> MixtureModel:
        """Mix the counts, which now take in all of the training part, with a network; see `fit_gate`."""
        mixture = fit_gate(network, self.counts, self.held_out, seed)
        mixture.ngram = fit_ngram(self.ids, self.vocab_size, self.config, progress)
        return mixture


def hold_out_blocks(ids: NDArray[Any], vocab_size: int) -> HeldOutBlocks:
    """Keep blocks of a training part for the gate, evenly spread; the last one is its end.

    Raises:
        TextError: there are fewer than four characters.
    """
    max_kept = min(MAX_CHARACTERS, MAX_NUMBERS // vocab_size)
    kept = min(len(ids) // 4, max(MIN_CHARACTERS, min(max_kept, int(SHARE * len(ids)))))
    if not kept:
        raise TextError(f"{len(ids)} characters are too few to mix two models by; bring a longer text")
    number = max(1, kept // BLOCK) if len(ids) <= MAX_COPIED else 1
    length = kept // number
    context = min(CONTEXT, len(ids) // number - length)
    ends = [(i + 1) * len(ids) // number for i in range(number)]
    blocks = np.stack([ids[end - length - context : end] for end in ends])
    pieces = [ids[begin : end - length] for begin, end in zip([0, *ends], ends, strict=False)]
    return HeldOutBlocks(pieces[0] if number == 1 else np.concatenate(pieces), blocks, context)


def fit_gate(network: Network, counts: NgramLike, held_out: HeldOutBlocks, seed: int = 0) -> MixtureModel:
    """The mixture of two models whose gate suits text that both have not seen.

    Where that is little text, a gate that was fitted to it may be worse than two fixed weights, or than one of the
    models alone. So each is fitted to one half of it and judged on the other; what has more to fit is taken only
    if it is better by more than a standard error (Breiman et al. 1984).

    Args:
        network: in evaluation mode; it is not changed.
        counts: of the text without the blocks.
        held_out: the blocks.
        seed: of the gate's first weights and its batches.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixture = MixtureModel(network, counts)
    targets = torch.from_numpy(held_out.blocks[:, held_out.context :].astype(np.int64)).flatten()
    predictions = (_log_probs(network, held_out), _log_probs(counts, held_out), targets)
    fit: Fit = _fit_gate
    if len(targets) < MUCH:
        losses = {way: _cross_validated(way, mixture, predictions, generator) for way in FITS}
        fit = min(ALONE, key=lambda way: float(losses[way].mean()))
        for way in FITS[len(ALONE) :]:
            gain = losses[fit] - losses[way]
            if gain.mean() > gain.std() / math.sqrt(len(gain)):
                fit = way
    fit(mixture, predictions, generator)
    return mixture.to(network.device).eval()


Predictions = tuple[Tensor, ...]
"""What two models say of N characters that neither has seen: log-probabilities (N, V) of the network, those of the
counts, and the characters (N,)."""
Fit = Callable[[MixtureModel, Predictions, torch.Generator], None]
"""A way to set the gate of a mixture."""


def _fit_gate(mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> None:
    """All of the gate, by AdamW on random characters."""
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
    """Two weights that are the same everywhere, by LBFGS on all characters."""
    _set_weights(mixture, 0.5, 0.5)
    bias = mixture.last.bias
    optimizer = torch.optim.LBFGS([bias], max_iter=LBFGS_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        mean = _losses(mixture, predictions).mean()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean

    optimizer.step(loss)  # type: ignore[no-untyped-call]


ALONE: tuple[Fit, ...] = (
    lambda mixture, *_: _set_weights(mixture, 1.0, 0.0),
    lambda mixture, *_: _set_weights(mixture, 0.0, 1.0),
)
"""The network alone; the counts alone."""
FITS: tuple[Fit, ...] = (*ALONE, _fit_weights, _fit_gate)
"""From the simplest to the one with the most to fit."""


def _set_weights(mixture: MixtureModel, network: float, counts: float) -> None:
    with torch.no_grad():
        mixture.last.weight.zero_()
        mixture.last.bias.copy_(torch.tensor([network, counts]))


def _losses(mixture: MixtureModel, predictions: Sequence[Tensor]) -> Tensor:
    """(N,) the nats of the characters under a mixture."""
    network, counts, targets = predictions
    return functional.cross_entropy(mixture.mix(network, counts), targets, reduction="none")


def _cross_validated(fit: Fit, mixture: MixtureModel, predictions: Predictions, generator: torch.Generator) -> Tensor:
    """(N,) nats where each half is judged by what was fitted to the other; the gate is restored."""
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
    """(N · L, V) what a model says of the characters of all blocks."""
    tokens = torch.from_numpy(held_out.blocks[:, :-1].astype(np.int64))
    logits_of_blocks = (model(rows)[0][:, held_out.context - 1 :] for rows in torch.split(tokens, ROWS))
    return torch.cat([torch.log_softmax(logits.float(), -1).cpu().flatten(0, 1) for logits in logits_of_blocks])
