"""Models that learn while they read: what each makes of the same text, for a table of its own.

All figures here are online: a model predicts each character, and may then learn from it. None compares with static
ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray
from torch import nn

from charrnn.checkpoint import Model
from charrnn.models.language_model import ScoresOnline
from charrnn.models.ngram.fit import Counted
from charrnn.models.ngram.model import NgramModel
from charrnn.scoring.dynamic_evaluation import DynamicEvaluation
from charrnn.scoring.evaluate import Score, facts_of
from charrnn.scoring.surprisal import Progress


@dataclass(frozen=True)
class OnlineRow:
    """One that learns while it reads, measured.

    Attributes:
        label: what it is.
        how: how it learns; of one that is missing what brings it.
        score: of the text; None where it is missing.
        seconds: that it took, counting the training part again or compressing it included.
        split: of the text.
        part: which part of it was read.
        of_characters: how many could have been.
    """

    label: str
    how: str
    score: Score | None
    seconds: float
    split: str
    part: str
    of_characters: int

    def as_json(self) -> dict[str, Any]:
        """The row under the names that all of charrnn's JSON uses."""
        known: dict[str, Any] = {"model": self.label, "how": self.how, "bits_per_char": None}
        if self.score:
            known |= asdict(facts_of(self.score, self.split, self.of_characters, online=True))
        return {**known, "part": self.part, "seconds": round(self.seconds, 3)}


def can_learn(model: Model) -> bool:
    """Whether a model can learn while it reads: all networks, and most counts."""
    return isinstance(model, nn.Module) or (isinstance(model, NgramModel) and model.config.method.supports_online)


def learning(
    model: Model,
    train: NDArray[Any],
    counting: Progress | None = None,
    reading: Progress | None = None,
) -> ScoresOnline:
    """A model as one that learns while it reads: counts that go on, a network with dynamic evaluation.

    Args:
        model: one that can, see `can_learn`.
        train: (M,) what it was fitted on; a model of counts has none of them left, so they are counted again.
        counting: told the steps of counting done, and of how many.
        reading: told the characters that a network has read, and of how many.
    """
    if isinstance(model, NgramModel):
        return Counted.of(train, model.vocab_size, model.config, counting)
    assert isinstance(model, nn.Module)
    return DynamicEvaluation(model, reading)
