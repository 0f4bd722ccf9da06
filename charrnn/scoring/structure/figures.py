"""Results of `charrnn compare --structure`: a network against n-grams on brackets, indentation and limited context.

Karpathy, Johnson and Li, Visualizing and understanding recurrent networks (arXiv 1506.02078), ask at which characters
an LSTM beats n-grams, for example by the distance from a brace to its closing brace. Both models read the same
characters, so all differences are paired. side_by_side.py computes the results.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """Mean bits per case under both models; the bits of a case are summed over its characters.

    Attributes:
        cases: number of cases.
        network: mean bits under the network.
        counts: mean bits under the n-gram model.
        difference: network − n-grams; negative if the network is better.
        error: paired standard error of the difference; None for a single case.
    """

    cases: int
    network: float
    counts: float
    difference: float
    error: float | None

    @classmethod
    def of(cls, network: NDArray[np.float64], counts: NDArray[np.float64]) -> Difference:
        """Compare (n,) nats under each model, n ≥ 1."""
        difference, error = mean_and_error(network - counts)
        return cls(len(network), mean_and_error(network)[0], mean_and_error(counts)[0], difference, error)


@dataclass(frozen=True)
class DistanceBits:
    """Bits of the closing characters in a range of distances from their opening characters.

    Attributes:
        kind: kind of pair, such as `()`, or a group: brackets, quotes, tags.
        low: shortest distance of the range, in characters.
        high: longest distance of the range, in characters.
        bits: bits of the closing characters.
    """

    kind: str
    low: int
    high: int
    bits: Difference


@dataclass(frozen=True)
class ContextBits:
    """Mean bits at random positions, predicted from a limited context.

    Attributes:
        length: length of the context in characters; None for the full context, carrying the state.
        network: mean bits under the network.
        network_error: standard error of `network`.
        counts: mean bits under the n-gram model.
        counts_error: standard error of `counts`.
        lost: the network's bits minus its bits with the full context, at the same positions.
        lost_error: paired standard error of `lost`.
    """

    length: int | None
    network: float
    network_error: float | None
    counts: float
    counts_error: float | None
    lost: float
    lost_error: float | None


@dataclass(frozen=True)
class BracketAccuracy:
    """How often closing brackets are predicted correctly.

    Attributes:
        kind: kind of bracket, such as `()`.
        cases: number of closing brackets.
        network_among: share of them that the network ranks first among all closing brackets; None if the text has
            only one kind.
        counts_among: the same share for the n-gram model.
        network_first: share of them that the network ranks first among all characters.
        counts_first: the same share for the n-gram model.
    """

    kind: str
    cases: int
    network_among: float | None
    counts_among: float | None
    network_first: float
    counts_first: float


@dataclass(frozen=True)
class IndentationAccuracy:
    """How well the indentation of lines is predicted, see indentation.py.

    Attributes:
        change: change from the line before: same, deeper or shallower; or `all` lines.
        network_right: share of lines whose indentation the network predicts correctly, character by character.
        counts_right: the same share for the n-gram model.
        bits: bits of a line's indentation.
    """

    change: str
    network_right: float
    counts_right: float
    bits: Difference


@dataclass(frozen=True)
class Structure:
    """All results of `charrnn compare --structure`.

    Attributes:
        characters: number of characters that both models read.
        is_code: whether the text looks like code, where single quotes delimit strings.
        places: number of random positions at which the context was limited.
        seed: seed of these positions.
        closings: bits of closing characters, by group of kinds and by distance.
        kinds: bits of closing characters, by kind and by distance.
        contexts: bits by context length; the full context is last.
        brackets: accuracy on closing brackets, by kind.
        indentation: accuracy and bits of indentation, all lines first; empty if the text has too few indented lines.
        network: description of the network.
        counts: description of the n-gram model.
    """

    characters: int
    is_code: bool
    places: int
    seed: int
    closings: tuple[DistanceBits, ...]
    kinds: tuple[DistanceBits, ...]
    contexts: tuple[ContextBits, ...]
    brackets: tuple[BracketAccuracy, ...]
    indentation: tuple[IndentationAccuracy, ...]
    network: str = ""
    counts: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return all results by name."""
        return asdict(self)


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float | None]:
    """Return the mean of independent (n,) nats, in bits, and its standard error; None for a single value."""
    bits = values / math.log(2)
    error = float(bits.std(ddof=1)) / math.sqrt(len(bits)) if len(bits) > 1 else None
    return float(bits.mean()), error
