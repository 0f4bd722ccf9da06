"""How models are compared, and how texts are scored."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, ValidatedConfig, ge, int_range, option


@dataclass(frozen=True)
class CompareConfig(ValidatedConfig):
    """What is measured where models are compared."""

    panel = "Comparison"
    baselines: str = option(
        "auto", "Models to fit for the table: n-grams (tuned and modified Kneser-Ney, Goldberg's counts), and the best "
        "network interpolated with the best of them; auto: of a text of more than 20 million characters only the tuned "
        "n-grams.",
        check=OneOf(("auto", "all", "none")),
    )  # fmt: skip
    online: bool = option(
        False, "Also compare models that learn while they read: dynamic evaluation, n-grams that go on counting, and "
        "the compressors bz2, xz and PPMd.",
    )  # fmt: skip
    structure: bool = option(
        False, "Also show where the best network differs from the best n-grams: with the last 8 to 512 characters "
        "alone, by the distance from a bracket, quote or tag to its close, and in indentation.",
    )  # fmt: skip
    limit: int = option(
        200_000, "Read at most N held-out characters for --online and --structure (0: all).", check=int_range(0)
    )
    prime: str = option("", "Prompt of the samples, such as 'ROMEO:\\n' (default: a line end).", escapes=True)
    length: int = option(300, "Characters of each sample.", check=int_range(0))
    temperature: float = option(1.0, "Temperature of the samples.", "--temp", "--temperature", check=ge(0))
    seed: int = option(0, "Random seed of the samples, and of the places of --structure.", check=int_range(0))
    novelty_length: int = option(
        10_000, "Characters that each model generates to measure how much it copies from the training text (0: none).",
        check=int_range(0),
    )  # fmt: skip
    unknown: str = option(
        "error", "What to do with characters of the prompt that a model does not know: error, skip or replace.",
        check=OneOf(("error", "skip", "replace")),
    )  # fmt: skip


@dataclass(frozen=True)
class ScoreConfig(ValidatedConfig):
    """What is scored of a text beside its bits per character in one pass."""

    panel = "Scoring"
    window: int | None = option(
        None, "Also score in independent windows of N characters, as models with a fixed context are scored.",
        check=int_range(1),
    )  # fmt: skip
    online: bool = option(
        False, "Also score while the model learns from what it has read: a network by dynamic evaluation, an n-gram "
        "model by counting on.",
    )  # fmt: skip
    lines: bool = option(
        False, "Also score each line: the most surprising ones on a terminal; into a pipe all of them, as number, "
        "characters, bits, bits per character and text, separated by tabs.",
    )  # fmt: skip
