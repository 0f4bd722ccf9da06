"""N-grams of a folded text, in which capitals are small letters and line ends are spaces.

In verse a line may end anywhere, and every line begins with a capital: "The" after a line end is "the" elsewhere.
Folded n-grams count both as one, so they have seen more contexts; in a mixture they add to what exact n-grams know.
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
from charrnn.models.ngram.model import NgramModel
from charrnn.models.stepper import Logits, Stepper, Tokens, make_stepper


class FoldedNgramModel:
    """P(c) = P(class of c) · P(c | class), with n-grams of classes and the share of each character in its class.

    Args:
        model: n-grams of a text of C classes.
        classes: (V,) int64, the class of each character.
        log_shares: (V,) float32, the logarithm of each character's share of the occurrences of its class.
    """

    def __init__(self, model: NgramModel, classes: Tensor, log_shares: Tensor) -> None:
        self.model, self.classes, self.log_shares = model, classes, log_shares
        self.vocab_size = len(classes)

    @classmethod
    def of(cls, model: NgramModel, ids: NDArray[Any], classes: NDArray[np.int64]) -> FoldedNgramModel:
        """Return the model of a text, (N,), given the n-grams of its classes, and the class of each character, (V,)."""
        counts = np.bincount(ids, minlength=len(classes)) + 1.0
        shares = counts / np.bincount(classes, counts)[classes]
        return cls(model, torch.from_numpy(classes), torch.from_numpy(np.log(shares).astype(np.float32)))

    @property
    def entries(self) -> int:
        """The number of stored n-grams."""
        return self.model.entries

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        log_probs, state = self.model(self.classes[tokens.cpu()], state)
        return log_probs[..., self.classes] + self.log_shares, state

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        return FoldedStepper(make_stepper(self.model, state, batch_size), self.classes.numpy(), self.log_shares.numpy())

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint must store, by name."""
        return {**self.model.tensors(), "classes": self.classes, "log_shares": self.log_shares}

    @classmethod
    def from_tensors(cls, config: NgramConfig, vocab_size: int, tensors: dict[str, Tensor]) -> FoldedNgramModel:
        """Return the model of these tensors (the inverse of `tensors`).

        Raises:
            ValueError: the tensors do not form a model; the message names the first invalid one.
        """
        rest = dict(tensors)
        parts = [rest.pop(name, None) for name in ("classes", "log_shares")]
        for name, part, dtype in zip(("classes", "log_shares"), parts, (torch.int64, torch.float32), strict=True):
            found = None if part is None else (part.dtype, tuple(part.shape))
            if found != (dtype, (vocab_size,)):
                raise ValueError(f"{name}: expected {dtype} of shape {(vocab_size,)}, found {found}")
        classes, log_shares = parts
        assert classes is not None
        assert log_shares is not None
        number = int(classes.max()) + 1
        if int(classes.min()) or number > vocab_size:
            raise ValueError(f"classes: expected numbers from 0 to at most {vocab_size - 1}, found others")
        if not (log_shares <= 0).all() or not log_shares.isfinite().all():
            raise ValueError("log_shares: expected finite numbers up to 0, found others")
        return cls(NgramModel.from_tensors(config, number, rest), classes, log_shares)


class FoldedStepper(Stepper):
    """The stepper of the n-grams of classes, with the probabilities of characters."""

    def __init__(self, stepper: Stepper, classes: NDArray[np.int64], log_shares: NDArray[np.float32]) -> None:
        self.stepper, self.classes, self.log_shares = stepper, classes, log_shares

    @property
    def state(self) -> State | None:
        return self.stepper.state

    def read(self, tokens: Tokens) -> Logits:
        log_probs: Logits = self.stepper.read(self.classes[tokens])[:, self.classes] + self.log_shares
        return log_probs


def classes_of(ids: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[Any]:
    """Return the folded text: (N,) characters and (V,) classes → (N,) classes."""
    folded: NDArray[Any] = classes.astype(np.min_scalar_type(int(classes.max())))[ids]
    return folded


def fold(characters: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the class of each character of a vocabulary, (V,): that of its small letter; for a line end, of the space.

    Classes are numbered in the order of the vocabulary. The result is None if every character has a class of its own.
    """
    ids = {character: i for i, character in enumerate(characters)}
    first = np.arange(len(characters))
    for i, character in enumerate(characters):
        target = " " if character in "\r\n" else character.lower()
        first[i] = ids.get(target, i)
    classes = np.unique(first, return_inverse=True)[1].astype(np.int64)
    return None if classes.max() + 1 == len(classes) else classes
