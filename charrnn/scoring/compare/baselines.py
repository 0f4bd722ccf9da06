"""What a network is put beside in a table, and for the table alone: which n-grams, and itself mixed with the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from charrnn.checkpoint import Checkpoint
from charrnn.checkpoint.metadata import Facts
from charrnn.config import NgramConfig
from charrnn.models.blend import BlendModel
from charrnn.models.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary

SMOOTHINGS = ("tuned", "mkn", "ml")
"""Of the n-grams: the best; the one that the field compares with; and Goldberg's, which claims that none is needed."""
MOST_COUNTED = 20_000_000
"""Characters of a training part of which all of them are counted; of a longer one the first alone."""


def missing(models: Sequence[Checkpoint], is_bytes: bool, smoothings: Sequence[str] = SMOOTHINGS) -> list[NgramConfig]:
    """The n-grams of the table that are not among the models; all of the default order.

    Args:
        models: that are there.
        is_bytes: whether they read bytes.
        smoothings: of the table.
    """
    there = {str(one.model.config) for one in models if one.kind == "ngram"}
    wanted = (NgramConfig(smoothing=name).with_order(is_bytes) for name in smoothings)
    return [config for config in wanted if str(config) not in there]


class Compared(Protocol):
    """What a row needs to know of a model: a checkpoint, or what is made for the table; see there."""

    @property
    def model(self) -> LanguageModel:
        """The language model."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its characters."""

    @property
    def facts(self) -> Facts:
        """How it came to be."""

    @property
    def path(self) -> Path:
        """Of its file."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def name(self) -> str:
        """Its file's, without the ending."""

    @property
    def kind(self) -> str:
        """`recurrent`, `ngram` or `mixture`."""

    @property
    def description(self) -> str:
        """The model in a few words."""


@dataclass(frozen=True)
class Blend:
    """A network and n-grams as one: the weighted mean of their probabilities, with a weight that nothing was fitted to.

    A better mixture, `train --with-ngram`, has weights for each place from a gate, which needs text that both models
    were kept from; a network that is trained already was kept from nothing but the text that it is compared on. It
    is Compared, as a checkpoint is.

    Attributes:
        network: the one.
        counts: the other, with the same vocabulary.
        share: the weight of the network.
    """

    network: Checkpoint
    counts: Checkpoint
    share: float

    @cached_property
    def model(self) -> BlendModel:
        """The language model."""
        return BlendModel([self.network.model, self.counts.model], [self.share, 1 - self.share])

    @property
    def vocabulary(self) -> Vocabulary:
        """Of both."""
        return self.network.vocabulary

    @property
    def facts(self) -> Facts:
        """Those of the network, but that the time of both counts."""
        return replace(self.network.facts, fit_seconds=self.network.facts.fit_seconds + self.counts.facts.fit_seconds)

    @property
    def path(self) -> Path:
        """Where nothing is."""
        return self.network.path.with_name(self.name)

    @property
    def size(self) -> int:
        """In bytes, of both."""
        return self.network.size + self.counts.size

    @property
    def name(self) -> str:
        """The names of both."""
        return f"{self.network.name}+{self.counts.name}"

    @property
    def kind(self) -> str:
        """That of a mixture."""
        return "mixture"

    @property
    def description(self) -> str:
        """Both, with their weights."""
        return f"{self.share:.0%} {self.network.description}, {1 - self.share:.0%} {self.counts.description}"
