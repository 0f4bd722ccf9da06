"""Bits per character of a text under a model.

The text is read once, in order, carrying the state from chunk to chunk. The sum of nats is divided once, by the number
of characters, so the result does not depend on the chunk size. The first character has no context; every model is
charged log V for it, the cost of a uniform guess. surprisal.py has the rule for separate documents.
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
"""Approximately the largest x for which e^x is a finite float."""


@dataclass(frozen=True)
class Score:
    """The score of a text: a sum of nats, and the usual units derived from that sum.

    Attributes:
        nats: Σ −ln p over all characters with probability above 0.
        characters: number of characters in the text.
        impossible: number of characters with probability 0.
    """

    nats: float
    characters: int
    impossible: int = 0

    def __add__(self, other: Score) -> Score:
        """Return the score of two texts together."""
        characters, impossible = self.characters + other.characters, self.impossible + other.impossible
        return Score(self.nats + other.nats, characters, impossible)

    @classmethod
    def of(cls, surprisals: NDArray[np.float64]) -> Score:
        """Sum the (N,) surprisals, in nats, that `scoring.surprisal.surprisals` returns."""
        possible = np.isfinite(surprisals)
        return cls(float(surprisals[possible].sum()), len(surprisals), int((~possible).sum()))

    @property
    def nats_per_char(self) -> float:
        """Nats per character; infinite if any character has probability 0."""
        return math.inf if self.impossible else self.nats / self.characters

    @property
    def bits(self) -> float:
        """Bits for the whole text; infinite if any character has probability 0."""
        return math.inf if self.impossible else self.nats / math.log(2)

    @property
    def bits_per_char(self) -> float:
        """Bits per character, the main measure of quality; infinite if any character has probability 0."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """Perplexity, 2^(bits per character): the number of equally likely characters that are as hard to predict."""
        return math.exp(self.nats_per_char) if self.nats_per_char < MAX_EXPONENT else math.inf

    @property
    def impossible_share(self) -> float:
        """The share of characters with probability 0, from 0 to 1."""
        return self.impossible / self.characters

    def __str__(self) -> str:
        if self.impossible:
            return f"infinite: {100 * self.impossible_share:.1f}% of the characters have probability 0"
        return f"{self.bits_per_char:.4f} bits/char ({self.nats_per_char:.4f} nats)"


def eval_result(
    score: Score,
    split: str,
    of_characters: int | None = None,
    online: bool = False,
    window: int | None = None,
    documents: bool = False,
) -> EvalResult:
    """Return a score as checkpoints and JSON store it, with the split and the evaluation rule.

    Args:
        score: the score.
        split: the split, such as 90/10/0.
        of_characters: number of characters that could have been scored; None if all of them were.
        online: whether the model learned from the text during evaluation.
        window: characters per window, if windows were scored independently.
        documents: whether documents were scored independently.
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
    """Score a text statically: the model does not learn from the text.

    Args:
        model: any language model.
        text: a span, or (N,) ids, N ≥ 1.
        piece: characters per chunk; affects the speed, not the score.
        progress: progress callback, in characters.

    Raises:
        TextError: the text is empty.
        ModelError: the model produced NaN.
    """
    if len(text) == 0:
        raise TextError("there are no held-out characters to score; use a larger --val-fraction")
    score = Score(0.0, 0)
    for _, log_probs in log_prob_pieces(model, TextSpan.of(text), piece):
        score += _sum(log_probs)
        if progress:
            progress(score.characters, len(text))
    return score


@torch.inference_mode()
def evaluate_windows(model: LanguageModel, ids: NDArray[Any], window: int, progress: Progress | None = None) -> Score:
    """Score a text in independent windows, as fixed-context models are scored.

    As in nanoGPT, a window reads `window` characters and predicts the next character after each of them, the first from
    one character of context. nanoGPT samples windows at random; here they are adjacent, so each character except the
    first is predicted once.

    Raises:
        TextError: the text has fewer than two characters.
        ModelError: the model produced NaN.
    """
    if len(ids) < 2:
        raise TextError("there are no held-out characters to score; use a larger --val-fraction")
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
    """Score a text, (N,), online: the model learns from each character after predicting it.

    Online scores are not comparable with static scores.
    """
    return score_from_log_probs(model.online_log_probs(ids), model.vocab_size)


def score_from_log_probs(log_probs: NDArray[np.float64], vocab_size: int) -> Score:
    """Return the score of a text from the (N − 1,) log-probabilities of all but the first character, charged log V."""
    return Score(math.log(vocab_size), 1) + Score.of(-log_probs.clip(max=0))
