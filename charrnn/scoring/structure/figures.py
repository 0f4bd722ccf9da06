"""Where a network wins against n-grams: closing what was opened, indentation, and what it remembers. The figures.

After Karpathy, Johnson and Li, Visualizing and understanding recurrent networks (arXiv 1506.02078), who ask at which
characters an LSTM is better than n-grams, by the distance from a brace to its close among others. Both models read the
same characters, so all differences are those of pairs. How they come about: run.py.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """The mean bits of some cases by both models; what a case has is the sum over its characters.

    Attributes:
        cases: how many there are.
        network: bits of the network; `counts`: of the n-grams.
        difference: of both, below 0 where the network is better.
        error: the standard error of the difference, that of pairs; None of a single case.
    """

    cases: int
    network: float
    counts: float
    difference: float
    error: float | None

    @classmethod
    def of(cls, network: NDArray[np.float64], counts: NDArray[np.float64]) -> Difference:
        """Of (n,) nats by each, n ≥ 1."""
        difference, error = mean_and_error(network - counts)
        return cls(len(network), mean_and_error(network)[0], mean_and_error(counts)[0], difference, error)


@dataclass(frozen=True)
class AtDistance:
    """Closing characters at some distances from what they close.

    Attributes:
        kind: such as `()`, or a group of kinds: brackets, quotes, tags.
        low: the least distance in characters; `high`: the greatest.
        bits: of the characters that close.
    """

    kind: str
    low: int
    high: int
    bits: Difference


@dataclass(frozen=True)
class AtContext:
    """Some places, predicted from the last characters alone.

    Attributes:
        length: of the context in characters; None for all that comes before, with the state carried.
        network: mean bits of the network; `counts`: of the n-grams. Errors are standard errors.
        lost: the network's bits less those after all that comes before, at the same places; its error is that of pairs.
    """

    length: int | None
    network: float
    network_error: float | None
    counts: float
    counts_error: float | None
    lost: float
    lost_error: float | None


@dataclass(frozen=True)
class Closed:
    """How often closing brackets are known.

    Attributes:
        kind: such as `()`.
        cases: how many there are.
        network_among: the share of them that the network takes for the likeliest of all closing brackets; None where
            the text has one kind alone; `counts_among`: the same of the n-grams.
        network_first: the share that it takes for the likeliest of all characters; `counts_first`: the same.
    """

    kind: str
    cases: int
    network_among: float | None
    counts_among: float | None
    network_first: float
    counts_first: float


@dataclass(frozen=True)
class Indented:
    """How well indentations are known, see indentation.py.

    Attributes:
        change: what they are to the line before: same, deeper, shallower; or all.
        network_right: the share of lines whose indentation is the network's likeliest, character by character;
            `counts_right`: the same of the n-grams.
        bits: of a line's indentation.
    """

    change: str
    network_right: float
    counts_right: float
    bits: Difference


@dataclass(frozen=True)
class Structure:
    """All of it.

    Attributes:
        characters: that both models read.
        is_code: whether the text was taken for code, which has single quotes.
        places: at which contexts were cut.
        seed: they were drawn with.
        closings: by group of kinds and distance.
        kinds: the same by kind, as `brackets` is.
        contexts: by length, all that comes before last.
        indentation: all lines first; empty where the text is not indented.
    """

    characters: int
    is_code: bool
    places: int
    seed: int
    closings: tuple[AtDistance, ...]
    kinds: tuple[AtDistance, ...]
    contexts: tuple[AtContext, ...]
    brackets: tuple[Closed, ...]
    indentation: tuple[Indented, ...]
    network: str = ""
    counts: str = ""

    def as_json(self) -> dict[str, Any]:
        """The figures by their names."""
        return asdict(self)


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float | None]:
    """The mean of independent values, (n,) nats, in bits, and its standard error; None of a single one."""
    bits = values / math.log(2)
    error = float(bits.std(ddof=1)) / math.sqrt(len(bits)) if len(bits) > 1 else None
    return float(bits.mean()), error
