"""Settings of comparing models and of scoring texts."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, ValidatedConfig, ge, int_range, option
from charrnn.config.sampling import UNKNOWN_HELP, UNKNOWN_POLICIES


@dataclass(frozen=True)
class CompareConfig(ValidatedConfig):
    """Settings of `charrnn compare`."""

    panel = "comparison"
    baselines: str = option(
        "auto", "Baselines to fit for the table. all: three n-gram models (tuned and modified Kneser-Ney, unsmoothed), "
        "and the best network interpolated with the best n-grams. auto: the same, but only the tuned n-grams for texts "
        "above 20 million characters. none: no baselines.",
        check=OneOf(("auto", "all", "none")),
    )  # fmt: skip
    online: bool = option(
        False, "Also compare models that learn from the text while they read it: networks by dynamic evaluation, "
        "n-grams that keep counting, and the compressors bz2, xz and PPMd.",
        is_common=True,
    )  # fmt: skip
    structure: bool = option(
        False, "Also show in which places the best network and the best n-grams differ: at closing brackets, quotes "
        "and tags, in indentation, and when only the last 8 to 512 characters are visible.",
        is_common=True,
    )  # fmt: skip
    limit: int = option(
        200_000, "Read at most N held-out characters for --online and --structure (0: all).", check=int_range(0)
    )
    prime: str = option(
        "", "Prompt of the samples, such as 'ROMEO:\\n' (default: a line end).",
        metavar="TEXT", escapes=True, is_common=True,
    )  # fmt: skip
    length: int = option(300, "Generate N characters per sample.", check=int_range(0), is_common=True)
    temperature: float = option(
        1.0, "Temperature of the samples.", "--temp", "--temperature", check=ge(0), is_common=True
    )
    seed: int = option(
        0, "Random seed (samples, and the positions that --structure tests).", check=int_range(0), is_common=True
    )
    novelty_length: int = option(
        10_000, "Generate N characters per model to measure how much it copies from the training text (0: skip).",
        check=int_range(0),
    )  # fmt: skip
    unknown: str = option("error", UNKNOWN_HELP, check=OneOf(UNKNOWN_POLICIES))


@dataclass(frozen=True)
class ScoreConfig(ValidatedConfig):
    """Settings of `charrnn score`: what to score in addition to one full pass."""

    panel = "scoring"
    window: int | None = option(
        None, "Also score in independent windows of N characters, as models with a fixed context are scored.",
        check=int_range(1), is_common=True,
    )  # fmt: skip
    online: bool = option(
        False, "Also score the model while it learns from the text: a network by dynamic evaluation, n-grams by "
        "continuing to count.",
        is_common=True,
    )  # fmt: skip
    lines: bool = option(
        False, "Also score each line. A terminal shows the most surprising lines; a pipe gets all of them, as "
        "tab-separated number, characters, bits, bits per character and text.",
        is_common=True,
    )  # fmt: skip
