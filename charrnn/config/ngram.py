"""The n-gram model, its smoothings, and its mixture with a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.config.network import ModelConfig
from charrnn.config.option import OneOf, ValidatedConfig, int_range, option
from charrnn.config.text import CorpusConfig
from charrnn.errors import UsageError

DEFAULT_ORDER = 9
DEFAULT_BYTES_ORDER = 8

Function = str | Callable[..., Any] | None
"""A function or a class, or "module:name" of one in charrnn/models/ngram/, which is imported when it is first used."""


@dataclass(frozen=True)
class Smoothing:
    """An n-gram smoothing: everything that the rest of the program needs to know of it.

    Exactly one of `discounts`, `levels` and `model` is set; it says how the smoothing is fitted.

    Attributes:
        name: the value of --smoothing.
        help: a description in a few words, for --help and for the legend of a table.
        discounts: fits the discounts (see smoothing/backoff.py) to the counts of all orders, the text, V and a
            progress callback.
        levels: turns the counts of all orders and V into weights and backoffs that no discounts can express.
        model: a class of models of its own, which has no order; see LongestMatchModel.
        counts_occurrences: whether lower orders count how often n-grams occur, not what stands before them.
        is_smoothed: whether every character has a probability above 0 everywhere.
        fit_steps: how many steps of progress `discounts` reports.
    """

    name: str
    help: str
    discounts: Function = None
    levels: Function = None
    model: Function = None
    counts_occurrences: bool = False
    is_smoothed: bool = True
    fit_steps: int = 0

    @property
    def supports_online(self) -> bool:
        """Whether a model can go on counting while it reads: discounts apply to any counts."""
        return self.discounts is not None

    @property
    def supports_prune(self) -> bool:
        """Whether n-grams can be left out: their probability goes to the order below."""
        return self.is_smoothed and self.has_order

    @property
    def has_order(self) -> bool:
        """Whether there is a longest n-gram."""
        return self.model is None

    @property
    def has_negative_weights(self) -> bool:
        """Whether a weight may be below 0, so that a character cannot be drawn from one order after the other."""
        return self.levels is not None


SMOOTHINGS = {
    smoothing.name: smoothing
    for smoothing in (
        Smoothing(
            "ml", "Goldberg's counts, not smoothed", discounts="smoothing.discounts:maximum_likelihood",
            counts_occurrences=True, is_smoothed=False,
        ),
        Smoothing(
            "stupid", "stupid back-off, normalised", levels="smoothing.stupid_backoff:stupid_backoff",
            counts_occurrences=True,
        ),
        Smoothing(
            "witten-bell", "Witten-Bell, interpolated", discounts="smoothing.discounts:witten_bell",
            counts_occurrences=True,
        ),
        Smoothing("kn", "Kneser-Ney, interpolated", discounts="smoothing.discounts:kneser_ney"),
        Smoothing("mkn", "modified Kneser-Ney, interpolated", discounts="smoothing.discounts:modified_kneser_ney"),
        Smoothing(
            "tuned", "modified Kneser-Ney with discounts fitted on the end of the training part",
            discounts="smoothing.tuned:fit_discounts", fit_steps=15,
        ),
        Smoothing(
            "longest", "what followed the longest context that occurs, of any length, not smoothed",
            model="longest.longest_match:LongestMatchModel", is_smoothed=False,
        ),
    )
}  # fmt: skip
"""Every n-gram smoothing by its name, in the order of --help."""


@dataclass(frozen=True)
class NgramConfig(ValidatedConfig):
    """The n-gram model. `order` counts the predicted character: order 9 predicts from 8 characters."""

    panel = "Model"
    order: int | None = option(
        None,
        "Length of the longest n-gram, predicted character included: Goldberg's order plus one "
        f"(default: {DEFAULT_ORDER}, with --bytes {DEFAULT_BYTES_ORDER}).",
        check=int_range(1, 100),
    )  # fmt: skip
    smoothing: str = option(
        "tuned",
        f"{'; '.join(f'{smoothing.name}: {smoothing.help}' for smoothing in SMOOTHINGS.values())}.",
        check=OneOf(SMOOTHINGS),
    )  # fmt: skip
    prune: int = option(
        0, "Prune n-grams of three characters and more with a count of N or less: a smaller model, slightly worse.",
        check=int_range(0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check also what goes together."""
        super().__post_init__()
        if self.order and not self.method.has_order:
            raise UsageError(f"--order {self.order}: --smoothing {self.smoothing} has no order; leave it out")
        if self.prune and not self.method.supports_prune:
            raise UsageError(f"--prune {self.prune}: --smoothing {self.smoothing} has nothing to fall back on")

    @property
    def method(self) -> Smoothing:
        """The record of its smoothing."""
        return SMOOTHINGS[self.smoothing]

    def check_online(self, corpus: CorpusConfig | None = None) -> None:
        """Raise UsageError unless the model can go on counting while it reads a text."""
        if corpus and corpus.document_separator:
            raise UsageError("--online: goes on through all of a text, and documents begin anew; leave one of them out")
        if not self.method.supports_online:
            raise UsageError(f"--online: --smoothing {self.smoothing} does not support it; use another smoothing")

    def with_order(self, is_bytes: bool) -> NgramConfig:
        """The same with the default order in place of None."""
        if self.order or not self.method.has_order:
            return self
        return dataclasses.replace(self, order=DEFAULT_BYTES_ORDER if is_bytes else DEFAULT_ORDER)

    @property
    def name(self) -> str:
        """For a file."""
        parts = (self.smoothing, self.order, self.prune and f"prune-{self.prune}")
        return "-".join(str(part) for part in parts if part)

    def __str__(self) -> str:
        if not self.method.has_order:
            return f"{self.smoothing} match"
        pruned = f", pruned to {self.prune + 1}" if self.prune else ""
        return f"{self.smoothing} order {self.order}{pruned}"


@dataclass(frozen=True)
class MixtureConfig:
    """A network and the n-grams that it is mixed with."""

    network: ModelConfig
    counts: NgramConfig

    def __str__(self) -> str:
        return f"{self.network} with {self.counts}"
