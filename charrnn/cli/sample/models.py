"""The model that `--mix` makes of several checkpoints; of one, if nothing is mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint import Checkpoint, load, newest
from charrnn.checkpoint.marks import identity_of, load_marks, save_marks
from charrnn.cli.shared.checkpoints import FOLDER, find
from charrnn.errors import ModelError, UsageError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import LanguageModel
from charrnn.models.rounding import rounded
from charrnn.sampling.state import Mark
from charrnn.scoring.compare.rows import json_of
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Blended:
    """One model or several as one.

    Attributes:
        checkpoints: where the models are; the first is the one that the others are mixed with.
        weights: of each; they sum to 1.
        is_rounded: whether networks have weights of 8 bits.
    """

    checkpoints: tuple[Checkpoint, ...]
    weights: tuple[float, ...]
    is_rounded: bool = False

    @cached_property
    def model(self) -> LanguageModel:
        """The language model."""
        models: list[LanguageModel] = [one.model for one in self.checkpoints]
        if self.is_rounded:
            as_they_are, models = models, [rounded(model) for model in models]
            if all(model is other for model, other in zip(models, as_they_are, strict=True)):
                raise UsageError(f"--precision int8: {self.description} has no network to round; leave it out")
        return models[0] if len(models) == 1 else InterpolatedModel(models, self.weights)

    @property
    def vocabulary(self) -> Vocabulary:
        """Which all have."""
        return self.checkpoints[0].vocabulary

    @property
    def documents(self) -> Documents | None:
        """What tells documents apart, if the first model has read each from the beginning."""
        return Documents.of(self.first.facts.text.corpus, self.vocabulary)

    @property
    def first(self) -> Checkpoint:
        """The checkpoint that was named first."""
        return self.checkpoints[0]

    @property
    def description(self) -> str:
        """Files and models, in a few words."""
        if len(self.checkpoints) == 1:
            return f"{self.first.path}: {self.first.description}"
        pairs = zip(self.checkpoints, self.weights, strict=True)
        return " and ".join(f"{one.path}: {one.description} ({100 * weight:.4g}%)" for one, weight in pairs)

    def as_json(self) -> dict[str, Any]:
        """What is known of the model, under the names that all of charrnn's JSON uses."""
        known = json_of(self.first)
        found = {name: known[name] for name in ("checkpoint", "kind", "model", "version")}
        if len(self.checkpoints) > 1:
            pairs = zip(self.checkpoints[1:], self.weights[1:], strict=True)
            found["mix"] = [{"checkpoint": str(one.path), "weight": weight} for one, weight in pairs]
        return found

    def save(self, path: Path, marks: Sequence[Mark]) -> None:
        """Write the places of texts to a file."""
        save_marks(path, marks, identity_of(self.checkpoints, self.weights))

    def load(self, path: Path) -> list[Mark]:
        """The places of texts, from a file."""
        return load_marks(path, self.model, identity_of(self.checkpoints, self.weights))


def load_blended(name: str | None, mixed: Sequence[str], device: torch.device, is_rounded: bool = False) -> Blended:
    """Load what was named.

    Args:
        name: a checkpoint; the newest, if None.
        mixed: others with their weights, such as `deep:0.3`.
        device: where networks go.
        is_rounded: whether networks have weights of 8 bits.

    Raises:
        UsageError: a weight is none, or they leave nothing for the first.
        CheckpointError: one cannot be loaded.
        ModelError: they have different vocabularies.
    """
    pairs = [_parsed(word) for word in mixed]
    left = 1 - sum(weight for _, weight in pairs)
    if left <= 1e-9:
        raise UsageError(f"--mix {mixed[-1]}: leaves nothing for the first model; the weights must sum to less than 1")
    first = load(find(name) if name else newest(FOLDER), device)
    others = [load(find(other), device) for other, _ in pairs]
    for other in others:
        if other.vocabulary != first.vocabulary:
            raise ModelError(
                f"--mix {other.name}: knows other characters than {first.name} ({len(other.vocabulary)}, not "
                f"{len(first.vocabulary)}); mix models that were fitted on the same text"
            )
    return Blended((first, *others), (left, *(weight for _, weight in pairs)), is_rounded)


def _parsed(word: str) -> tuple[str, float]:
    name, _, said = word.rpartition(":")
    try:
        weight = float(said)
    except ValueError:
        weight = 0.0
    if not name or not 0 < weight < 1:
        raise UsageError(f"--mix {word}: must be a checkpoint and its weight between 0 and 1, such as deep:0.3")
    return name, weight
