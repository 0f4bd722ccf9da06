"""What is made for a table alone: the n-grams that it lacks, and a network interpolated with n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from charrnn.checkpoint import Checkpoint
from charrnn.config import NgramConfig
from charrnn.models.interpolated import InterpolatedModel

BASELINE_SMOOTHINGS = ("tuned", "mkn", "ml")
"""Smoothings of the n-gram baselines: the best, the one that the field compares with, and Goldberg's, which is none."""
MAX_COUNTED = 20_000_000
"""The longest training part, in characters, for which all of them are counted; of a longer one only the first."""
NETWORK_SHARE = 0.6
"""The weight of a network that is interpolated with n-grams without a fit."""


def missing_ngrams(
    models: Sequence[Checkpoint], is_bytes: bool, smoothings: Sequence[str] = BASELINE_SMOOTHINGS
) -> list[NgramConfig]:
    """The n-gram baselines that are not among the models; all of the default order."""
    existing = {model.description for model in models if model.kind == "ngram"}
    wanted = (NgramConfig(smoothing=name).with_order(is_bytes) for name in smoothings)
    return [config for config in wanted if str(config) not in existing]


def interpolate(network: Checkpoint, ngram: Checkpoint, share: float = NETWORK_SHARE) -> Checkpoint:
    """A network and n-grams as one model, with fixed weights; it is in no file, and its path is where none is.

    A better mixture, `train --with-ngram`, has weights for each place from a gate, which needs text that both models
    were kept from; a network that is trained already was kept from nothing but the text that it is compared on.
    """
    return Checkpoint(
        InterpolatedModel([network.model, ngram.model], (share, 1 - share)),
        network.vocabulary,
        replace(network.metadata, fit_seconds=network.metadata.fit_seconds + ngram.metadata.fit_seconds),
        network.path.with_name(f"{network.name}+{ngram.name}"),
        network.size + ngram.size,
    )
