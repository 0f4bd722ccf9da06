"""How text is generated."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from charrnn.config.option import (
    ValidatedConfig,
    all_not_empty,
    ge,
    gt,
    int_range,
    not_empty,
    option,
    option_flags,
    positive_fraction,
)


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """How a text is generated: when it ends, and the filters, whose fields stand in the order in which they apply.

    What a filter does is in `sampling/filters.py`.
    """

    panel = "Sampling"
    length: int = option(1000, "How many characters to write, at most.", check=int_range(0))
    until: tuple[str, ...] = option(
        (), "End when this has been written, such as '\\n\\n'; may be said several times.", check=all_not_empty,
        escapes=True,
    )  # fmt: skip
    until_regex: str | None = option(None, "End when this regular expression has been written.", check=not_empty)
    seed: int | None = option(None, "Seed; a new one each time if not said.", check=int_range(0))
    allow: str | None = option(
        None, "Write these characters only, such as 'abc \\n'.", check=not_empty, escapes=True, is_filter=True
    )
    ban: str | None = option(None, "Never write these characters.", check=not_empty, escapes=True, is_filter=True)
    match: str | None = option(
        None, "Write what matches this regular expression, all of it: what cannot lead to a match is never written.",
        check=not_empty, is_filter=True,
    )  # fmt: skip
    repetition_penalty: float = option(
        1.0, "Divide the probabilities of the last characters by this; more than 1 repeats less.", check=gt(0),
        is_filter=True,
    )  # fmt: skip
    repetition_window: int = option(64, "How many last characters that are.", check=int_range(1))
    temperature: float = option(
        1.0, "Below 1 is more careful, above 1 is wilder; 0 takes the likeliest.", "--temp", "--temperature",
        check=ge(0), is_filter=True,
    )  # fmt: skip
    top_k: int | None = option(None, "Draw from the K likeliest characters.", check=int_range(1), is_filter=True)
    top_p: float | None = option(
        None, "Draw from the likeliest characters that make up this probability.", check=positive_fraction,
        is_filter=True,
    )  # fmt: skip
    min_p: float | None = option(
        None, "Draw from the characters that have at least this share of the likeliest one's probability.",
        check=positive_fraction, is_filter=True,
    )  # fmt: skip

    @classmethod
    def filter_order(cls) -> str:
        """The options of the filters, in the order in which they apply."""
        return ", ".join(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.metadata["is_filter"])


@dataclass(frozen=True)
class CompletionConfig(SamplingConfig):
    """How the target of a line is drawn: as any text, but by default the likeliest, and until the line ends."""

    temperature: float = option(
        0.0, "0 takes the likeliest character each time; 1 draws as the model predicts.", "--temp", "--temperature",
        check=ge(0), is_filter=True,
    )  # fmt: skip
    length: int = option(500, "How many characters a target has at most.", check=int_range(0))
