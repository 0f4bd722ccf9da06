"""Settings of text generation."""

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

UNKNOWN_POLICIES = ("error", "skip", "replace")
"""The ways to treat prompt characters that a model does not know."""
UNKNOWN_HELP = "What to do with unknown characters in the prompt: stop with an error, skip, or replace with a space."
"""The help text of --unknown."""


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """Settings of sampling: when a text ends, and the filters, whose fields are in the order in which they apply.

    The filters are in `sampling/filters.py`.
    """

    panel = "sampling"
    length: int = option(1000, "Generate at most N characters.", check=int_range(0), is_common=True)
    until: tuple[str, ...] = option(
        (), "Stop after generating TEXT, such as '\\n\\n' (repeatable).",
        metavar="TEXT", check=all_not_empty, escapes=True, is_common=True,
    )  # fmt: skip
    until_regex: str | None = option(
        None, "Stop after generating a match of this regular expression.", metavar="REGEX", check=not_empty
    )
    seed: int | None = option(
        None, "Random seed (default: a different one each time).", check=int_range(0), is_common=True
    )
    allow: str | None = option(
        None, "Generate only these characters, such as 'abc \\n'.",
        metavar="CHARS", check=not_empty, escapes=True, is_filter=True,
    )  # fmt: skip
    ban: str | None = option(
        None, "Never generate these characters.", metavar="CHARS", check=not_empty, escapes=True, is_filter=True
    )
    match: str | None = option(
        None, "Constrain the whole generated text to match this regular expression.",
        metavar="REGEX", check=not_empty, is_filter=True,
    )  # fmt: skip
    repetition_penalty: float = option(
        1.0, "Divide the probabilities of recent characters by X; above 1, text repeats less.",
        check=gt(0), is_filter=True,
    )  # fmt: skip
    repetition_window: int = option(
        64, "Number of recent characters that --repetition-penalty applies to.", check=int_range(1)
    )
    temperature: float = option(
        1.0, "Sampling temperature: below 1 more predictable, above 1 more varied; 0: greedy (always the most likely "
        "character).",
        "--temp", "--temperature", check=ge(0), is_common=True, is_filter=True,
    )  # fmt: skip
    top_k: int | None = option(
        None, "Sample from the K most likely characters.",
        metavar="K", check=int_range(1), is_common=True, is_filter=True,
    )  # fmt: skip
    top_p: float | None = option(
        None, "Nucleus sampling: sample from the most likely characters that together have probability P.",
        metavar="P", check=positive_fraction, is_common=True, is_filter=True,
    )  # fmt: skip
    min_p: float | None = option(
        None, "Sample from the characters that are at least P times as likely as the most likely one.",
        metavar="P", check=positive_fraction, is_filter=True,
    )  # fmt: skip

    @classmethod
    def filter_order(cls) -> str:
        """Return the options of the filters, in the order in which they apply."""
        return ", ".join(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.metadata["is_filter"])


@dataclass(frozen=True)
class CompletionConfig(SamplingConfig):
    """Settings of completing lines: as for sampling, but greedy by default, and with a length for each target."""

    temperature: float = option(
        0.0, "Sampling temperature; 0: greedy (always the most likely character), 1: as the model predicts.",
        "--temp", "--temperature", check=ge(0), is_common=True, is_filter=True,
    )  # fmt: skip
    length: int = option(500, "Generate at most N characters per target.", check=int_range(0), is_common=True)
