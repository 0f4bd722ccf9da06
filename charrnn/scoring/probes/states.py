"""The path of a network's state as it reads a text: principal components, and classes of characters."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = ("lower case", "upper case", "digits", "punctuation", "space", "line end")
"""Classes of characters; letters without case count as lower case."""


@dataclass(frozen=True)
class Plane:
    """States projected onto their first two principal components.

    Attributes:
        points: (N, 2) the projected states.
        share: (2,) share of the variance along each component.
    """

    points: NDArray[np.float64]
    share: NDArray[np.float64]


def project_states(values: NDArray[np.floating]) -> Plane:
    """Project states onto their first two principal components (Pearson 1901).

    The sign of a component is arbitrary; here its largest weight is positive.

    Args:
        values: (N, H) states, N ≥ 1. With a single unit, or without variance, the missing components are 0.
    """
    centred = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred)  # rising
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    points, share = np.zeros((len(values), 2)), np.zeros(2)
    points[:, : axes.shape[1]] = centred @ axes
    total = variances.clip(min=0).sum()
    if total > 0:
        share[: axes.shape[1]] = variances[::-1][:2].clip(min=0) / total
    return Plane(points, share)


def class_of(character: str) -> str:
    """Return the class of a character, one of CLASSES; anything else counts as punctuation."""
    if character == "\n":
        return "line end"
    category = unicodedata.category(character)
    if character.isspace() or category == "Zs":
        return "space"
    if category in ("Lu", "Lt"):
        return "upper case"
    if category[0] in "LM":
        return "lower case"
    return "digits" if category[0] == "N" else "punctuation"
