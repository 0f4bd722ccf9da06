"""Settings of the n-gram model and of its mixture with a network, and the registry of smoothings."""

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
"""The default order of models of characters."""
DEFAULT_BYTES_ORDER = 8
"""The default order of models of bytes."""

Function = str | Callable[..., Any] | None
"""A function or class; or "module:name" of one in charrnn/models/ngram/, imported at its first use."""


@dataclass(frozen=True)
class Smoothing:
    """The record of an n-gram smoothing, with everything that other modules need to know about it.

    Exactly one of `discounts`, `levels` and `model` is set, and determines how the smoothing is fitted.

    Attributes:
        name: the value of --smoothing.
        help: a description in a few words, for --help and for the legends of tables.
        discounts: a function that fits discounts (see smoothing/backoff.py) to the counts of all orders, the text, V
            and a progress callback.
        levels: a function that turns the counts of all orders and V into weights and backoffs, for smoothings that
            discounts cannot express.
        model: a model class that has no order; see LongestMatchModel.
        counts_occurrences: whether lower orders use the number of occurrences of an n-gram; otherwise the number of
            different characters before it.
        is_smoothed: whether every character has a positive probability in every context.
        fit_steps: the number of progress steps that `discounts` reports.
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
        """Whether a model can keep counting while it reads a text: discounts apply to any counts."""
        return self.discounts is not None

    @property
    def supports_prune(self) -> bool:
        """Whether n-grams can be removed: their probability goes to the next lower order."""
        return self.is_smoothed and self.has_order

    @property
    def has_order(self) -> bool:
        """Whether n-grams have a maximum length."""
        return self.model is None

    @property
    def has_negative_weights(self) -> bool:
        """Whether weights may be negative, so that a character cannot be sampled order by order."""
        return self.levels is not None


SMOOTHINGS = {
    smoothing.name: smoothing
    for smoothing in (
        Smoothing(
            "ml", "Goldberg's counts (maximum likelihood, unsmoothed)",
            discounts="smoothing.discounts:maximum_likelihood", counts_occurrences=True, is_smoothed=False,
        ),
        Smoothing(
            "stupid", "stupid backoff, normalized", levels="smoothing.stupid_backoff:stupid_backoff",
            counts_occurrences=True,
        ),
        Smoothing(
            "witten-bell", "interpolated Witten-Bell", discounts="smoothing.discounts:witten_bell",
            counts_occurrences=True,
        ),
        Smoothing("kn", "interpolated Kneser-Ney", discounts="smoothing.discounts:kneser_ney"),
        Smoothing("mkn", "interpolated modified Kneser-Ney", discounts="smoothing.discounts:modified_kneser_ney"),
        Smoothing(
            "tuned", "modified Kneser-Ney, discounts fitted on the end of the training part",
            discounts="smoothing.tuned:fit_discounts", fit_steps=15,
        ),
        Smoothing(
            "longest", "counts after the longest context that occurs in the text, unsmoothed",
            model="longest.longest_match:LongestMatchModel", is_smoothed=False,
        ),
    )
}  # fmt: skip
"""Every n-gram smoothing by name, in the order of --help."""


@dataclass(frozen=True)
class NgramConfig(ValidatedConfig):
    """Settings of the n-gram model. `order` includes the predicted character: order 9 predicts from 8 characters."""

    panel = "model"
    order: int | None = option(
        None,
        "N-gram order, predicted character included: order 9 predicts from 8 characters "
        f"(default: {DEFAULT_ORDER}; with --bytes: {DEFAULT_BYTES_ORDER}).",
        check=int_range(1, 100), is_common=True,
    )  # fmt: skip
    smoothing: str = option(
        "tuned",
        f"Smoothing. {'; '.join(f'{smoothing.name}: {smoothing.help}' for smoothing in SMOOTHINGS.values())}.",
        metavar="NAME", check=OneOf(SMOOTHINGS), is_common=True,
    )  # fmt: skip
    prune: int = option(
        0, "Prune n-grams of 3 or more characters with a count of N or less: smaller model, slightly worse (0: off).",
        check=int_range(0), is_common=True,
    )  # fmt: skip

    blend: bool = option(
        False, "Mix n-grams of this order, of half this order, and without case and line ends, by a gate fitted on "
        "held-out blocks: better, but larger and slower.",
        "--blend/--no-blend",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Also check the order and --prune against the smoothing."""
        super().__post_init__()
        if self.order and not self.method.has_order:
            raise UsageError(f"--order {self.order}: --smoothing {self.smoothing} has no order; remove one of them")
        if self.blend and not (self.method.has_order and self.method.is_smoothed):
            raise UsageError(f"--blend: --smoothing {self.smoothing} does not support it; use another smoothing")
        if self.prune and not self.method.supports_prune:
            raise UsageError(
                f"--prune {self.prune}: --smoothing {self.smoothing} does not support it; use another smoothing"
            )

    @property
    def method(self) -> Smoothing:
        """The record of the smoothing."""
        return SMOOTHINGS[self.smoothing]

    def check_online(self, corpus: CorpusConfig | None = None) -> None:
        """Raise UsageError unless the model can keep counting while it reads a text."""
        if corpus and corpus.document_separator:
            raise UsageError(
                "--online: cannot be combined with --document-separator, which resets the model; remove one of them"
            )
        if not self.method.supports_online:
            raise UsageError(f"--online: --smoothing {self.smoothing} does not support it; use another smoothing")

    def with_order(self, is_bytes: bool) -> NgramConfig:
        """Return a copy with the default order in place of None."""
        if self.order or not self.method.has_order:
            return self
        return dataclasses.replace(self, order=DEFAULT_BYTES_ORDER if is_bytes else DEFAULT_ORDER)

    @property
    def name(self) -> str:
        """The part of a checkpoint's default name that describes the model, such as tuned-9."""
        parts = (self.blend and "blend", self.smoothing, self.order, self.prune and f"prune-{self.prune}")
        return "-".join(str(part) for part in parts if part)

    def __str__(self) -> str:
        if not self.method.has_order:
            return f"{self.smoothing} match"
        pruned = f", pruned to {self.prune + 1}" if self.prune else ""
        return f"{self.smoothing} order {self.order}{pruned}"


@dataclass(frozen=True)
class MixtureConfig:
    """Settings of a mixture of n-gram models, and of the network that it may contain.

    Attributes:
        network: the network or networks; None for n-grams alone.
        counts: the n-grams.
        short: the order of shorter n-grams; None without them.
        folded: whether n-grams of the folded text are a part (models/ngram/folded.py), with the settings of `counts`.
        separate: whether each of several networks has its own weight.
    """

    network: ModelConfig | None
    counts: NgramConfig
    short: int | None = None
    folded: bool = False
    separate: bool = False

    def __str__(self) -> str:
        ngrams = f"blend of {self.counts}" if self.short or self.folded else str(self.counts)
        return f"{self.network} with {ngrams}" if self.network else ngrams
