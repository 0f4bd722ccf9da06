"""Where the state of a network goes while it reads: its principal components, and classes of characters."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = ("lower case", "upper case", "digits", "punctuation", "space", "line end")
"""Of characters; letters without case are lower."""


@dataclass(frozen=True)
class Plane:
    """The plane in which states vary most.

    Attributes:
        points: (N, 2) the states in it.
        share: (2,) of the variance, along each of its axes.
    """

    points: NDArray[np.float64]
    share: NDArray[np.float64]


def plane(values: NDArray[np.floating]) -> Plane:
    """The first two principal components (Pearson 1901).

    The sign of each axis is free; here the largest weight of each is positive.

    Args:
        values: (N, H), N ≥ 1. Where there is but one unit, or no variance, the second axis, or both, are 0.
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
    """Which of CLASSES a character belongs to; what is none of them is punctuation."""
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
