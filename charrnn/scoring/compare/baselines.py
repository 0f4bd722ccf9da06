"""Baselines made for a comparison only: n-gram models, and a network interpolated with an n-gram model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from charrnn.checkpoint import Checkpoint
from charrnn.config import NgramConfig
from charrnn.models.interpolated import InterpolatedModel

BASELINE_SMOOTHINGS = ("tuned", "mkn", "ml")
"""Smoothings of the n-gram baselines: the best one, the field's standard, and none at all (Goldberg's counts)."""
MAX_COUNTED = 20_000_000
"""The longest training part, in characters, for which all baselines are fitted; beyond that, only the first is."""
NETWORK_SHARE = 0.6
"""The weight of the network in an interpolation whose weights are not fitted."""


def missing_ngrams(
    models: Sequence[Checkpoint], is_bytes: bool, smoothings: Sequence[str] = BASELINE_SMOOTHINGS
) -> list[NgramConfig]:
    """Return the settings of the n-gram baselines, at the default order, that are not among the models."""
    existing = {model.description for model in models if model.kind == "ngram"}
    wanted = (NgramConfig(smoothing=name).with_order(is_bytes) for name in smoothings)
    return [config for config in wanted if str(config) not in existing]


def interpolate(network: Checkpoint, ngram: Checkpoint, share: float = NETWORK_SHARE) -> Checkpoint:
    """Interpolate a network and an n-gram model with fixed weights; the result's path is a name, not a file.

    `train --with-ngram` makes a better mixture, whose gate gives each character its own weights. Fitting a gate takes
    text that neither model has seen, and for a trained network that is only the text that the comparison scores.
    """
    return Checkpoint(
        InterpolatedModel([network.model, ngram.model], (share, 1 - share)),
        network.vocabulary,
        replace(network.metadata, fit_seconds=network.metadata.fit_seconds + ngram.metadata.fit_seconds),
        network.path.with_name(f"{network.name}+{ngram.name}"),
        network.size + ngram.size,
    )
