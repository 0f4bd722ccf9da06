"""Bits per character of a text under a model.

Every character counts, in order, with the state carried from one piece to the next: sums of nats are divided once, by
the number of characters, and are never a mean of means. So the figure does not depend on the size of the pieces. The
first character has nothing before it; every model is charged log V for it, as if it were drawn by lot. A text of
documents is scored by another rule, see surprisal.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.checkpoint.metadata import EvalResult
from charrnn.errors import TextError
from charrnn.models.hardware.thread_tuner import make_thread_tuner
from charrnn.models.language_model import LanguageModel, ScoresOnline, next_log_probs
from charrnn.progress import Progress
from charrnn.scoring.surprisal import CHUNK_CHARS, checked, log_prob_pieces
from charrnn.text.documents import TextSpan

MAX_EXPONENT = 700.0
"""The largest power of e that a float holds, or nearly."""


@dataclass(frozen=True)
class Score:
    """The sum over a text, from which the units follow.

    Attributes:
        nats: Σ −ln p over all characters that have a probability above 0.
        characters: how many characters the text has.
        impossible: how many of them the model gave probability 0.
    """

    nats: float
    characters: int
    impossible: int = 0

    def __add__(self, other: Score) -> Score:
        """The score of two texts, one after the other."""
        characters, impossible = self.characters + other.characters, self.impossible + other.impossible
        return Score(self.nats + other.nats, characters, impossible)

    @classmethod
    def of(cls, surprisals: NDArray[np.float64]) -> Score:
        """The sum of surprisals, in nats (N,), as `scoring.surprisal.surprisals` gives them."""
        possible = np.isfinite(surprisals)
        return cls(float(surprisals[possible].sum()), len(surprisals), int((~possible).sum()))

    @property
    def nats_per_char(self) -> float:
        """Nats per character; infinite if any character was impossible."""
        return math.inf if self.impossible else self.nats / self.characters

    @property
    def bits(self) -> float:
        """Bits of the whole text; infinite if any character was impossible."""
        return math.inf if self.impossible else self.nats / math.log(2)

    @property
    def bits_per_char(self) -> float:
        """Bits per character, the unit of quality; infinite if any character was impossible."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """2 to the bits per character: among so many equally likely characters a choice would be as hard."""
        return math.exp(self.nats_per_char) if self.nats_per_char < MAX_EXPONENT else math.inf

    @property
    def impossible_share(self) -> float:
        """The share of the characters that the model gave probability 0."""
        return self.impossible / self.characters

    def __str__(self) -> str:
        if self.impossible:
            return f"infinite, {100 * self.impossible_share:.1f}% of characters have probability 0"
        return f"{self.bits_per_char:.4f} bits per character ({self.nats_per_char:.4f} nats)"


def eval_result(
    score: Score,
    split: str,
    of_characters: int | None = None,
    online: bool = False,
    window: int | None = None,
    documents: bool = False,
) -> EvalResult:
    """A score as checkpoints and JSON keep it, with the split and the rule that it was made by.

    Args:
        score: the sum.
        split: such as 90/10/0.
        of_characters: how many characters could have been scored; as many as were, if not given.
        online: whether the model learned from the text while it was scored.
        window: characters of a window, if each was scored by itself.
        documents: whether each document was.
    """
    full = "documents" if documents else f"window {window}" if window else "full"
    rule = [("online" if online else "static"), full]
    if of_characters not in (None, score.characters):
        rule = [*rule[: 1 + documents], f"first {score.characters} of {of_characters}"]
    return EvalResult(
        bits_per_char=None if score.impossible else score.bits_per_char,
        nats_per_char=None if score.impossible else score.nats_per_char,
        characters=score.characters,
        impossible_share=score.impossible_share,
        split=split,
        rule=", ".join(rule),
    )


@torch.inference_mode()
def evaluate(
    model: LanguageModel,
    text: TextSpan | NDArray[Any],
    piece: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score a text, statically: the model does not learn from it.

    The text is a span, or ids, (N,), N ≥ 1; the size of the pieces changes the speed, not the score.

    Raises:
        TextError: the text is empty.
        ModelError: a probability is no number.
    """
    if len(text) == 0:
        raise TextError("there are no held-out characters to score; say a larger --val-fraction")
    score = Score(0.0, 0)
    for _, log_probs in log_prob_pieces(model, TextSpan.of(text), piece):
        score += _sum(log_probs)
        if progress:
            progress(score.characters, len(text))
    return score


@torch.inference_mode()
def evaluate_windows(model: LanguageModel, ids: NDArray[Any], window: int, progress: Progress | None = None) -> Score:
    """Score a text in windows, each read by itself, as transformers are scored.

    A window of N characters reads N and predicts the N that come one later, the first from a single character, as
    nanoGPT's. It draws windows by lot; these lie side by side, so that each character but the first is predicted once.

    Raises:
        TextError: the text has no character that another comes before.
    """
    if len(ids) < 2:
        raise TextError("there are no held-out characters to score; say a larger --val-fraction")
    total, tuner = Score(0.0, 0), make_thread_tuner()
    rows = max(1, CHUNK_CHARS // window)
    for begin in range(0, len(ids) - 1, rows * window):
        part = torch.from_numpy(ids[begin : begin + rows * window + 1].astype(np.int64))
        whole = (len(part) - 1) // window * window
        for tokens, targets in (
            (part[:whole].view(-1, window), part[1 : whole + 1].view(-1, window)),
            (part[whole:-1][None], part[whole + 1 :][None]),
        ):
            if targets.numel():
                with tuner.piece(tokens.numel()):
                    log_probs, _ = next_log_probs(model, tokens, targets)
                total += _sum(checked(log_probs))
        if progress:
            progress(begin + len(part), len(ids))
    return total


def _sum(log_probs: Tensor) -> Score:
    log_probs = log_probs.cpu()  # MPS has no float64
    possible = log_probs > -torch.inf
    return Score(-float(log_probs[possible].double().sum()), log_probs.numel(), int((~possible).sum()))


def evaluate_online(model: ScoresOnline, ids: NDArray[Any]) -> Score:
    """Score a text, (N,), online: the model learns from each character after it was predicted.

    Such a figure never stands in one column with static ones.
    """
    return score_from_log_probs(model.online_log_probs(ids), model.vocab_size)


def score_from_log_probs(log_probs: NDArray[np.float64], vocab_size: int) -> Score:
    """The score of a text from the (N − 1,) nats of all its characters but the first, which costs log V."""
    return Score(math.log(vocab_size), 1) + Score.of(-log_probs.clip(max=0))
